# Evaluates `code` with another value of a constant of the package.
with_constant <- function(name, value, code) {
  home <- asNamespace("particleflow")
  before <- get(name, home)
  set <- function(to) {
    unlockBinding(name, home)
    assign(name, to, home)
    lockBinding(name, home)
  }
  on.exit(set(before))
  set(value)
  force(code)
}
