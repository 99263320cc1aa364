#' The law "local": a particle plus round noise
#'
#' A particle chosen at random plus Gaussian noise, which is the same in all directions. With `jitter = 1` the noise is
#' about as long as the distance between neighbours. In more than three or four dimensions the new rows are close to
#' those of a smoothed bootstrap of the data.
#'
#' The density is that of a kernel estimate. A search tries nine values of `jitter` between 0.3 and 3.4. Of more than
#' 50,000 (20,000 in up to three dimensions) particles the law knows a sample, see [laws].
#'
#' @param jitter Root-mean-square length of the noise, a number of at least 0. Its unit is the median distance of a
#'   particle to its nearest neighbour, where equal particles count once.
#' @return An object of class `law_kind`, see [laws].
#' @references Silverman BW (1986). Density Estimation for Statistics and Data Analysis, section 6.4. Chapman and Hall.
#' @examples
#' law_local(jitter = 0.5)
#' efs(iris[51:100, 3:4], law = law_local(jitter = 0.5), time = 0)
#' @family latent laws
#' @export
law_local <- structure(function(jitter = 1) {
  settings <- given_settings()
  check_number(jitter, "jitter", lower = 0)
  new_law_kind("local", local_fit, local_draw, local_density, local_candidates, settings, sweep = "jitter",
               searched = 1, components = local_components, most_rows = kernel_rows)
}, class = "law_constructor")

local_candidates <- function(n, d) list(list(jitter = exp(seq(log(0.3), log(3.4), length.out = 9))))

local_fit <- function(points, jitter = 1) {
  list(points = points, spacing = typical_spacing(points), jitter = jitter)
}

local_density <- function(law, points, threads, self = FALSE, jitter = law$jitter) {
  kernel_log_density(points, law$points, jitter * law$spacing / sqrt(ncol(points)), threads, self)
}

local_draw <- function(law, n, key, threads) {
  dim <- ncol(law$points)
  from <- pick(draw_uniform(n, 1, key)[, 1], nrow(law$points))
  noise <- draw_normal(n, dim, key, stream = 1L)
  law$points[from, , drop = FALSE] + law$jitter * law$spacing / sqrt(dim) * noise
}

local_components <- function(law) {
  sd <- law$jitter * law$spacing / sqrt(ncol(law$points))
  if (!(sd > 0)) return(NULL)
  n <- nrow(law$points)
  pack_components(rep(1 / n, n), t(unname(law$points)), packed_roots(list(diag(sd, ncol(law$points)))))
}
