# Every tolerance of the tests, with its reason.
tolerance <- list(
  # double arithmetic in another order: 1e-16 times the number of terms, and a margin
  kernel = 1e-10,
  # one instruction set against another: fused multiply-add and reciprocals from
  # estimates change the last bits of each pair, relative to the sum of |w||z|
  twin = 1e-12,
  # efs_backward() returns the data, where its conditions hold
  inverse = 1e-8,
  # the centre of mass: rounding only, n terms of order 1
  centre = 1e-12,
  # printed constants have six digits
  six_digits = 2e-6,
  # closed forms of order 1 evaluated in double precision
  closed_form = 1e-12,
  # an orthonormal projection and back, relative to the largest entry
  isometry = 1e-10,
  # 400 particles against the mean-field law: the second moment falls short by a
  # few per cent; at (5, 3), where 400 particles are three or four across, by a tenth
  moment = c(`2,0` = 0.01, `2,1` = 0.06, `3,-1` = 0.01, `5,3` = 0.15, `5,1` = 0.03),
  # largest distance of the empirical law of |x|^2/R^2 from the Beta law; at (5, 3)
  # most particles form the outermost layer and only the moment is compared
  law = c(`2,0` = 0.08, `2,1` = 0.10, `5,3` = 1, `5,1` = 0.06),
  # densities summed over a grid: the rule of rectangles, kinks and edges of the laws
  # included
  integral = 5e-3,
  # central differences with h = 1e-5: h^2 and 1e-16/h
  difference = 1e-6,
  # Sinkhorn stopped at a share of 1e-6 of the mass, or of a shift that is taken out
  # beforehand: what is left of the value is of that order
  transport = 1e-5,
  # blur of 5 % of the radius, 60 rows, mass error 0.5 %, against exact transport
  blur = 0.02,
  # the grid stops at T = 2000: the integral beyond is known on average only, and
  # oscillates about it within some 2/(pi T) times the coherence of a few pairs
  tail = 1e-4,
  # explicit Euler with small steps against continuous time: first order in the step
  euler = 2e-3,
  # singular values and the like from LAPACK: a hundred units in the last place
  rounding = 1e-13,
  # the value at a minimum found to 1e-9: the square of that, and the rounding of its terms
  search = 1e-8,
  # new points in blocks of another size: matrix products in another order, magnified by
  # tens of steps of a flow
  passive = 1e-8,
  # f'' by second differences of step 1e-3 in log r: h^2 times the fourth derivative
  second_difference = 1e-4,
  # moments of 1000 particles under a kernel estimate of bandwidth 0.15 against its mean field: Euler steps of 0.01, and
  # particles in the tails
  mean_field = 0.02,
  # the share of 1000 particles in one of 8 equal modes: three standard deviations of a random start, 0.03
  mass = 0.25,
  # normal to uniform by characteristic functions: the map against pnorm() on |z| <= 3
  pushforward = 0.01,
  # correlations and standard deviations of 1500 new blocks against those of the 252 blocks that were fitted: in trials
  # with 11 seeds they differed by 0.02 (one standard deviation), relative to 0.4 to 0.5
  blocks = 0.15,
  # moments of genes, which are rounded to nine digits of the largest value
  moments = 1e-8
)
