# Seconds from the signal, sent a second after `code` has begun, until R is back from it; Inf: `code` came to its end.
# The shell sends it. A fork of this process would share the threads and sockets that mirai has here.
seconds_after_signal <- function(code) {
  sent <- tempfile()
  system(sprintf("(sleep 1; touch '%s'; kill -INT %d) > /dev/null 2>&1 &", sent, Sys.getpid()))
  back <- tryCatch(
    {
      force(code)
      Inf
    },
    interrupt = function(condition) as.numeric(Sys.time())
  )
  if (back == Inf) {
    tryCatch(Sys.sleep(2), interrupt = function(condition) NULL) # the signal must not come later
    return(Inf)
  }
  back - as.numeric(file.mtime(sent))
}

# The least of up to three, because other work on the machine may delay R for longer than a second.
least_delay <- function(code) {
  code <- substitute(code)
  frame <- parent.frame()
  delay <- Inf
  for (attempt in 1:3) if (delay >= 1) delay <- min(delay, seconds_after_signal(eval(code, frame)))
  delay
}
