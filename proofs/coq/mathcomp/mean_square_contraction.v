(** Mean-square contraction of independent, identically distributed random operators.

    E d(T x, T y)^2 <= r^2 d(x, y)^2 for all x and y, with r < 1, and E d(theta_0, T theta_0)^2 <= D^2:
    no map needs to be a contraction. The backward iterates are then Cauchy in mean square and almost
    surely, and E d(theta*, theta_n)^2 <= (r^n D/(1 - r))^2. The distance is a measurable function of
    pairs that is symmetric and satisfies the triangle inequality. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum order interval.
From mathcomp.classical Require Import boolp classical_sets functions mathcomp_extra.
From mathcomp.analysis Require Import reals ereal signed topology normedtype sequences measure
  lebesgue_measure lebesgue_integral nsatz_realtype.
From TrainingInReverse.mathcomp Require Import general_equality_of_laws stationary_limit coupled_runs
  synchronisation.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope classical_set_scope.
Local Open Scope ring_scope.
Local Open Scope ereal_scope.

(** (a + b)^2 <= a^2/(1 - r) + b^2/r. *)
Lemma square_split (R : realType) (r a b c : R) : (0 < r < 1)%R -> (0 <= c <= a + b)%R ->
  (c ^+ 2 <= (1 - r)^-1 * a ^+ 2 + r^-1 * b ^+ 2)%R.
Proof.
move=> /andP[r0 r1] /andP[c0 cab]; have s0 : (0 < 1 - r)%R by rewrite subr_gt0.
apply: (@le_trans _ _ ((a + b) ^+ 2)%R); first by rewrite ler_sqr ?nnegrE// (le_trans c0).
rewrite -subr_ge0; set s := (1 - r)%R.
suff -> : (s^-1 * a ^+ 2 + r^-1 * b ^+ 2 - (a + b) ^+ 2 = s * r * (a * s^-1 - b * r^-1) ^+ 2)%R.
  by rewrite mulr_ge0 ?sqr_ge0// mulr_ge0 ?ltW.
have rV : (r * r^-1 = 1)%R by rewrite mulfV// gt_eqF.
have sV : (s * s^-1 = 1)%R by rewrite mulfV// gt_eqF.
have sr : (s + r = 1)%R by rewrite /s subrK.
by rewrite !expr2; clearbody s; move: rV sV; move: (r^-1)%R (s^-1)%R => ri si rV sV; nsatz.
Qed.

Lemma scale_le (R : realType) (c : R) (a b : \bar R) : (0 <= c)%R -> a <= b -> c%:E * a <= c%:E * b.
Proof. by move=> c0; apply: lee_wpmul2l; rewrite lee_fin. Qed.

Section MeanSquare.
Context d d' (Omega : measurableType d') (E : measurableType d) (X : topologicalType)
  (R : realType).
Variables (P : {measure set Omega -> \bar R}) (xi : nat -> Omega -> E).
Variables (f : E * borel X -> borel X) (theta0 : borel X).
Hypothesis P_setT : P setT = 1.
Hypothesis mxi : forall i, measurable_fun setT (xi i).
Hypothesis mf : measurable_fun setT f.
Hypothesis iid : forall n (A : nat -> set E), (forall i, measurable (A i)) ->
  P [set x | forall i, (i < n)%N -> A i (xi i x)]
  = (\prod_(i < n) fine (P (xi 0%N @^-1` A i)))%R%:E.

Variable dist : borel X * borel X -> R.
Hypothesis mdist : measurable_fun setT dist.
Hypothesis dist_ge0 : forall x y, (0 <= dist (x, y))%R.
Hypothesis dist_refl : forall x, dist (x, x) = 0%R.
Hypothesis dist_triangle : forall x y z, (dist (x, z) <= dist (x, y) + dist (y, z))%R.

Variables r D : R.
Hypothesis r_range : (0 < r < 1)%R.
Hypothesis D_ge0 : (0 <= D)%R.

(** E d(T x, T y)^2 <= r^2 d(x, y)^2, and E d(theta_0, T theta_0)^2 <= D^2. *)
Hypothesis mean_square : forall x y,
  \int[P]_w ((dist (f (xi 0%N w, x), f (xi 0%N w, y))) ^+ 2)%:E <= (r ^+ 2 * dist (x, y) ^+ 2)%:E.
Hypothesis displacement : \int[P]_w ((dist (theta0, f (xi 0%N w, theta0))) ^+ 2)%:E <= (D ^+ 2)%:E.

Let square (u v : letters E -> borel X) (w : letters E) : \bar R := (dist (u w, v w) ^+ 2)%:E.

Lemma measurable_square u v : measurable_fun setT u -> measurable_fun setT v ->
  measurable_fun setT (square u v).
Proof.
move=> mu mv; apply/EFin_measurable_fun; apply: measurable_fun_sqr.
apply: (measurable_fun_comp (E := setT) (f := dist) (g := fun w => (u w, v w))) => //.
by apply/prod_measurable_funP; split.
Qed.

Lemma square_ge0 u v w : 0 <= square u v w.
Proof. by rewrite lee_fin sqr_ge0. Qed.

Let shift (w : letters E) : letters E := fun i => (w : nat -> E) i.+1.

Lemma measurable_shift : measurable_fun setT shift.
Proof. by apply: measurable_into_letters => i; exact: measurable_letter. Qed.

(** One more outermost map multiplies the mean square by at most r^2. *)
Lemma one_step u v : measurable_fun setT u -> measurable_fun setT v ->
  \int[P]_x square (fun w => f ((w : nat -> E) 0%N, u (shift w))) (fun w => f ((w : nat -> E) 0%N, v (shift w)))
    (in_order xi x)
  <= (r ^+ 2)%:E * \int[P]_x square u v (in_order xi x).
Proof.
move=> mu mv.
have mhead (u' : letters E -> borel X) : measurable_fun setT u' ->
    measurable_fun setT (fun w : letters E => f ((w : nat -> E) 0%N, u' (shift w))).
  move=> mu'; apply: (measurable_fun_comp (E := setT) (f := f)
    (g := fun w : letters E => ((w : nat -> E) 0%N, u' (shift w)))) => //.
  apply/prod_measurable_funP; split; first exact: measurable_letter.
  by apply: (measurable_fun_comp (E := setT) (f := u')) => //; exact: measurable_shift.
set psi := square _ _.
have mpsi : measurable_fun setT psi by apply: measurable_square; exact: mhead.
rewrite (integral_image P (measurable_in_order mxi) mpsi).
rewrite (_ : \int[_]_y psi y = \int[[the measure _ _ of
    pushforward (independent_copies P_setT) (measurable_fresh_first mxi)]]_y psi y); last first.
  by apply: eq_measure_integral => C mC _; rewrite /= /pushforward; apply/esym/fresh_first_law.
rewrite -(integral_image (independent_copies P_setT) (measurable_fresh_first mxi) mpsi).
rewrite (@fubini_tonelli2 _ _ _ _ _ P P); last 2 first.
- by apply: (measurable_fun_comp (E := setT) (f := psi)) => //; exact: measurable_fresh_first.
- by move=> z; exact: square_ge0.
rewrite -(@ge0_integralM_EFin _ _ _ P setT measurableT (fun x => square u v (in_order xi x)))//; last 3 first.
- by move=> x _; exact: square_ge0.
- apply: (measurable_fun_comp (E := setT) (f := square u v)) => //; first exact: measurable_square.
  exact: measurable_in_order.
- by rewrite sqr_ge0.
apply: ge0_le_integral => //.
- by move=> y _; apply: integral_ge0 => x _; exact: square_ge0.
- apply: measurable_fun_fubini_tonelli_G => //; first exact: P_sigma_finite.
  + by apply: (measurable_fun_comp (E := setT) (f := psi)) => //; exact: measurable_fresh_first.
  + by move=> z; exact: square_ge0.
- by move=> y _; rewrite mule_ge0// ?square_ge0// lee_fin sqr_ge0.
- apply: measurable_funeM.
  apply: (measurable_fun_comp (E := setT) (f := square u v)) => //; first exact: measurable_square.
  exact: measurable_in_order.
- move=> y _; rewrite /square -EFinM.
  exact: (mean_square (u (in_order xi y)) (v (in_order xi y))).
Unshelve. exact: P_sigma_finite.
Qed.

Let W n (w : letters E) : borel X := word f n w theta0.
Let mW n : measurable_fun setT (W n) := measurable_word mf n theta0.
Let start (w : letters E) : borel X := theta0.
Let mstart : measurable_fun setT start := @measurable_fun_cst _ _ _ _ setT theta0.
Let mean (u v : letters E -> borel X) := \int[P]_x square u v (in_order xi x).

Let r_gt0 : (0 < r)%R. Proof. by case/andP: r_range. Qed.
Let r_lt1 : (r < 1)%R. Proof. by case/andP: r_range. Qed.
Let s_gt0 : (0 < 1 - r)%R. Proof. by rewrite subr_gt0. Qed.

Lemma measurable_at u v : measurable_fun setT u -> measurable_fun setT v ->
  measurable_fun setT (fun x => square u v (in_order xi x)).
Proof.
move=> mu mv; apply: (measurable_fun_comp (E := setT) (f := square u v)) => //.
- exact: measurable_square.
- exact: measurable_in_order.
Qed.

(** E d(theta_n, theta_{n+k})^2 <= r^{2n} E d(theta_0, theta_k)^2. *)
Lemma outer_maps n k : mean (W n) (W (n + k)) <= ((r ^+ n) ^+ 2)%:E * mean start (W k).
Proof.
elim: n => [|n IH]; first by rewrite expr0 expr1n mul1e.
apply: (le_trans (one_step (mW n) (mW (n + k)))).
rewrite (exprS r n) exprMn (EFinM (r ^+ 2)%R) -muleA.
by apply: scale_le; rewrite ?sqr_ge0.
Qed.

(** E d(theta_0, theta_k)^2 <= (D/(1 - r))^2. *)
Lemma from_the_start k : mean start (W k) <= ((D / (1 - r)) ^+ 2)%:E.
Proof.
elim: k => [|k IH].
  rewrite /mean (_ : (fun x => _) = cst 0); last first.
    by apply/funext => x; rewrite /square /start /W /= dist_refl expr0n.
  by rewrite integral0 lee_fin sqr_ge0.
pose one (w : letters E) : borel X := f ((w : nat -> E) 0%N, theta0).
have mone : measurable_fun setT one by exact: (measurable_word mf 1 theta0).
have step w : square start (W k.+1) w <=
    ((1 - r)^-1)%:E * square start one w + (r^-1)%:E * square one (W k.+1) w.
  rewrite /square -!EFinM -EFinD lee_fin; apply: square_split => //.
  by rewrite dist_ge0 dist_triangle.
have i1 : (0 <= (1 - r)^-1)%R by rewrite invr_ge0 ltW.
have i2 : (0 <= r^-1)%R by rewrite invr_ge0 ltW.
have p1 w : 0 <= ((1 - r)^-1)%:E * square start one w by rewrite mule_ge0 ?square_ge0.
have p2 w : 0 <= (r^-1)%:E * square one (W k.+1) w by rewrite mule_ge0 ?square_ge0.
have m1 := measurable_at mstart mone; have m2 := measurable_at mone (mW k.+1).
apply: (@le_trans _ _ (\int[P]_x (((1 - r)^-1)%:E * square start one (in_order xi x)
    + (r^-1)%:E * square one (W k.+1) (in_order xi x)))).
  apply: ge0_le_integral => //.
  - by move=> x _; exact: square_ge0.
  - exact: measurable_at.
  - by move=> x _; rewrite adde_ge0.
  - by apply: emeasurable_funD; exact: measurable_funeM.
rewrite ge0_integralD//; last 2 first.
- exact: measurable_funeM.
- exact: measurable_funeM.
rewrite !ge0_integralM_EFin//; try by move=> x _; exact: square_ge0.
have b1 : mean start one <= (D ^+ 2)%:E by exact: displacement.
have b2 : mean one (W k.+1) <= (r ^+ 2)%:E * ((D / (1 - r)) ^+ 2)%:E.
  by apply: (le_trans (one_step mstart (mW k))); apply: scale_le; rewrite ?sqr_ge0.
apply: (@le_trans _ _ (((1 - r)^-1)%:E * (D ^+ 2)%:E
    + (r^-1)%:E * ((r ^+ 2)%:E * ((D / (1 - r)) ^+ 2)%:E))).
  by apply: lee_add; exact: scale_le.
rewrite -!EFinM -EFinD lee_fin le_eqVlt; apply/orP; left; apply/eqP.
have rV : (r * r^-1 = 1)%R by rewrite mulfV// gt_eqF.
have sV : ((1 - r) * (1 - r)^-1 = 1)%R by rewrite mulfV// gt_eqF.
by rewrite !expr2; move: rV sV; move: (r^-1)%R ((1 - r)^-1)%R => ri si rV sV; nsatz.
Qed.

(** Row 82, increments: E d(theta_n, theta_{n+1})^2 <= (r^n D)^2. *)
Theorem mean_square_increments n :
  \int[P]_x ((dist (backward xi f theta0 n x, backward xi f theta0 n.+1 x)) ^+ 2)%:E
  <= ((r ^+ n * D) ^+ 2)%:E.
Proof.
have := outer_maps n 1; rewrite addn1 => /le_trans; apply.
rewrite exprMn (EFinM ((r ^+ n) ^+ 2)%R); apply: scale_le; first by rewrite sqr_ge0.
exact: displacement.
Qed.

(** Row 82, tails: E d(theta_n, theta_m)^2 <= (r^n D/(1 - r))^2 for n <= m. *)
Theorem mean_square_tails n k :
  \int[P]_x ((dist (backward xi f theta0 n x, backward xi f theta0 (n + k) x)) ^+ 2)%:E
  <= ((r ^+ n * (D / (1 - r))) ^+ 2)%:E.
Proof.
apply: (le_trans (outer_maps n k)).

rewrite exprMn (EFinM ((r ^+ n) ^+ 2)%R); apply: scale_le; first by rewrite sqr_ge0.
exact: from_the_start.
Qed.

Let measurable_squared n m :
  measurable_fun setT (fun x => ((dist (backward xi f theta0 n x, backward xi f theta0 m x)) ^+ 2)%:E).
Proof. exact: (measurable_at (mW n) (mW m)). Qed.

(** Row 82, the limit: if theta_n -> theta* almost surely, E d(theta_n, theta* )^2 <= (r^n D/(1 - r))^2. *)
Theorem mean_square_limit (limit : Omega -> borel X) n :
  (forall x y, dist (x, y) = dist (y, x)) -> measurable_fun setT limit ->
  {ae P, forall x, (fun m => dist (backward xi f theta0 m x, limit x)) --> 0%R} ->
  \int[P]_x ((dist (backward xi f theta0 n x, limit x)) ^+ 2)%:E <= ((r ^+ n * (D / (1 - r))) ^+ 2)%:E.
Proof.
move=> dist_sym mlimit conv.
pose h m x := ((dist (backward xi f theta0 n x, backward xi f theta0 (n + m) x)) ^+ 2)%:E.
pose g x := ((dist (backward xi f theta0 n x, limit x)) ^+ 2)%:E.
have mh m : measurable_fun setT (h m) by exact: measurable_squared.
have h0 m x : setT x -> 0 <= h m x by move=> _; rewrite lee_fin sqr_ge0.
have g0 x : setT x -> 0 <= g x by move=> _; rewrite lee_fin sqr_ge0.
have mg : measurable_fun setT g.
  apply/EFin_measurable_fun; apply: measurable_fun_sqr.
  apply: (measurable_fun_comp (E := setT) (f := dist)
    (g := fun x => (backward xi f theta0 n x, limit x))) => //.
  by apply/prod_measurable_funP; split => //; exact: measurable_backward.
have lim0 x : setT x -> 0 <= lim_einf (h^~ x).
  move=> _; apply: lime_ge; first exact: is_cvg_einfs.
  by apply: nearW => m; apply: lb_ereal_inf => _ [j /= _ <-]; exact: h0.
have E1 : \int[P]_x g x = \int[P]_x lim_einf (h^~ x).
  apply: ge0_ae_eq_integral => //.
    apply: (emeasurable_fun_cvg (fun m x => einfs (h^~ x) m)) => //.
      exact: measurable_fun_einfs.
    by move=> x _; exact: is_cvg_einfs.
  move: conv => [N [mN N0 sub]]; exists N; split=> // x /= nx; apply: sub => /= cx; apply: nx => _.
  apply/esym; apply: (cvg_lim_einf_sup _).1; apply: cvg_EFin; first exact: nearW.
  rewrite (_ : fine \o h^~ x = (fun m => dist (backward xi f theta0 n x, backward xi f theta0 (n + m) x) ^+ 2)%R)//.
  have c1 : (fun m => dist (backward xi f theta0 n x, backward xi f theta0 (n + m) x)) -->
      dist (backward xi f theta0 n x, limit x).
    pose L := dist (backward xi f theta0 n x, limit x).
    pose delta m := dist (backward xi f theta0 (n + m) x, limit x).
    have cd : delta --> 0%R.
      have := cx; rewrite -(cvg_shiftn n) (_ : [sequence _]_m = delta)//.
      by apply/funext => m; rewrite /delta addnC.
    apply: (@squeeze_cvgr _ _ _ _ (fun m => L - delta m)%R _ (fun m => L + delta m)%R).
    - apply: nearW => m; apply/andP; split; last first.
        by apply: (le_trans (dist_triangle _ (limit x) _)); rewrite (dist_sym (limit x)).
      by rewrite ler_subl_addr; exact: dist_triangle.
    - by rewrite -[X in _ --> X]subr0; apply: cvgB => //; exact: cvg_cst.
    - by rewrite -[X in _ --> X]addr0; apply: cvgD => //; exact: cvg_cst.
  by rewrite expr2; under eq_fun do rewrite expr2; exact: cvgM.
rewrite -/g E1; apply: (le_trans (fatou _ _ _ _)) => //.
apply: lime_le; first exact: is_cvg_einfs.
apply: nearW => m; apply: (@le_trans _ _ (\int[P]_x h m x)); last exact: mean_square_tails.
by rewrite /einfs /=; apply: ereal_inf_lb; exists m => /=.
Qed.

(** Row 82, almost surely: d(theta_n, theta_{n+1})^2 <= C r^n for all n, with a finite random C. *)
Theorem increments_almost_surely_geometric : {ae P, forall x, exists C : R, forall n,
  (dist (backward xi f theta0 n x, backward xi f theta0 n.+1 x) ^+ 2 <= C * r ^+ n)%R}.
Proof.
pose term n x :=
  (((r ^+ n)^-1)%:E * (dist (backward xi f theta0 n x, backward xi f theta0 n.+1 x) ^+ 2)%:E).
have rn_gt0 n : (0 < r ^+ n)%R by rewrite exprn_gt0.
have rn_ge0 n : (0 <= (r ^+ n)^-1)%R by rewrite invr_ge0 ltW.
have term0 n x : 0 <= term n x by rewrite mule_ge0 ?lee_fin ?sqr_ge0.
have mterm n : measurable_fun setT (term n) by apply: measurable_funeM; exact: measurable_squared.
have mean_term n : \int[P]_x term n x <= (r ^+ n * D ^+ 2)%:E.
  rewrite ge0_integralM_EFin//; last by move=> x _; rewrite lee_fin sqr_ge0.
  apply: (le_trans (scale_le (rn_ge0 n) (mean_square_increments n))).
  rewrite -EFinM lee_fin le_eqVlt; apply/orP; left; apply/eqP.
  by rewrite exprMn [X in (_ * (X * _))%R]expr2 !mulrA mulVf ?mul1r// gt_eqF.
pose total x := \sum_(n <oo) term n x.
have mean_total : \int[P]_x total x <= (D ^+ 2 / (1 - r))%:E.
  rewrite integral_nneseries//.
  apply: lime_le; first by apply: is_cvg_nneseries => n _; exact: integral_ge0.
  apply: nearW => n.
  apply: (@le_trans _ _ (D ^+ 2 / (1 - r) * (1 - r ^+ n))%:E); last first.
    have D2 : (0 <= D ^+ 2 / (1 - r))%R by apply: divr_ge0; rewrite ?sqr_ge0// ltW.
    have le1 : (1 - r ^+ n <= 1)%R by rewrite ler_subl_addr ler_addl ltW.
    by rewrite lee_fin ler_pimulr.
  elim: n => [|n IH]; first by rewrite big_nil expr0 subrr mulr0.
  rewrite big_nat_recr//=; apply: (le_trans (lee_add IH (mean_term n))).
  rewrite -EFinD lee_fin le_eqVlt; apply/orP; left; apply/eqP; rewrite (exprS r n).
  have sV : ((1 - r) * (1 - r)^-1 = 1)%R by rewrite mulfV// gt_eqF.
  by move: sV; move: ((1 - r)^-1)%R (r ^+ n)%R (D ^+ 2)%R => si rn D2 sV; nsatz.
have itotal : P.-integrable setT total.
  split.
    apply: ge0_emeasurable_fun_sum => //.
  rewrite (_ : (fun x => _) = total); last first.
    by apply/funext => x; rewrite gee0_abs//; exact: nneseries_ge0.
  by apply: (le_lt_trans mean_total); rewrite ltry.
move: (integrable_ae measurableT itotal) => [N [mN N0 sub]]; exists N; split=> // x /= nx.
apply: sub => /= fx; apply: nx; exists (fine (total x)) => n.
have : term n x <= (fine (total x))%:E.
  rewrite fineK; last exact: fx.
  apply: (@le_trans _ _ (\sum_(0 <= i < n.+1) term i x)); last exact: nneseries_lim_ge.
  by rewrite big_nat_recr//= lee_addr// sume_ge0.
rewrite /term -EFinM lee_fin mulrC ler_pdivr_mulr//.
Qed.

(** Row 82: in a complete space the backward iterates converge almost surely. *)
Theorem mean_square_almost_sure_limit : dist_complete dist ->
  {ae P, forall x, exists l : borel X, (fun n => dist (backward xi f theta0 n x, l)) --> 0%R}.
Proof.
move=> complete; apply: (almost_sure_limit_of_increments mxi mf mdist dist_ge0 dist_refl dist_triangle complete).
pose inc n x := (dist (backward xi f theta0 n x, backward xi f theta0 n.+1 x))%R.
have rn_gt0 n : (0 < r ^+ n)%R by rewrite exprn_gt0.
have minc n : measurable_fun setT (inc n).
  apply: (measurable_fun_comp (E := setT) (f := dist)
    (g := fun x => (backward xi f theta0 n x, backward xi f theta0 n.+1 x))) => //.
  by apply/prod_measurable_funP; split; exact: measurable_backward.
(* 1 /\ d <= (r^n + d^2/r^n)/2 *)
have small n x : (Num.min 1 (inc n x) <= 2^-1 * r ^+ n + 2^-1 * (r ^+ n)^-1 * inc n x ^+ 2)%R.
  apply: (@le_trans _ _ (inc n x)); first by rewrite le_minl lexx orbT.
  rewrite -subr_ge0.
  suff -> : (2^-1 * r ^+ n + 2^-1 * (r ^+ n)^-1 * inc n x ^+ 2 - inc n x
      = 2^-1 * (r ^+ n)^-1 * (inc n x - r ^+ n) ^+ 2)%R.
    by rewrite mulr_ge0 ?sqr_ge0// mulr_ge0 ?invr_ge0// ltW.
  have V : (r ^+ n * (r ^+ n)^-1 = 1)%R by rewrite mulfV// gt_eqF.
  have H2 : (2^-1 + 2^-1 = 1 :> R)%R by rewrite [RHS](splitr 1) !mul1r.
  move: V H2; move: (2^-1 : R)%R (inc n x) ((r ^+ n)^-1)%R => half d0 ri; move: (r ^+ n)%R => rn V H2.
  by rewrite !expr2; nsatz.
have half_ge0 : (0 <= 2^-1 :> R)%R by rewrite invr_ge0.
have minmin n : measurable_fun setT (fun x => (Num.min 1 (inc n x))%:E).
  apply/EFin_measurable_fun.
  rewrite (_ : (fun x => _) = (fun x => - Num.max (- 1) (- inc n x))%R); last first.
    by apply/funext => x; rewrite oppr_max !opprK.
  apply: measurable_funN; apply: measurable_fun_max; first exact: measurable_fun_cst.
  exact: measurable_funN.
have mean_small n : \int[P]_x (Num.min 1 (inc n x))%:E <= (2^-1 * (1 + D ^+ 2) * r ^+ n)%:E.
  have b0 : (0 <= 2^-1 * (r ^+ n)^-1)%R by rewrite mulr_ge0// invr_ge0 ltW.
  have a0 : (0 <= 2^-1 * r ^+ n)%R by rewrite mulr_ge0// ltW.
  apply: (@le_trans _ _ (\int[P]_x ((2^-1 * r ^+ n)%:E + (2^-1 * (r ^+ n)^-1)%:E * (inc n x ^+ 2)%:E))).
    apply: ge0_le_integral => //.
    - by move=> x _; rewrite lee_fin le_minr ler01 dist_ge0.
    - by move=> x _; rewrite adde_ge0 ?mule_ge0 ?lee_fin ?sqr_ge0.
    - apply: emeasurable_funD; first exact: measurable_fun_cst.
      by apply: measurable_funeM; exact: measurable_squared.
    - by move=> x _; rewrite -EFinM -EFinD lee_fin; exact: small.
  rewrite ge0_integralD//; last 3 first.
  - exact: measurable_fun_cst.
  - by move=> x _; rewrite mule_ge0 ?lee_fin ?sqr_ge0.
  - by apply: measurable_funeM; exact: measurable_squared.
  rewrite integral_cst// P_setT mule1 ge0_integralM_EFin//; last 2 first.
  - by move=> x _; rewrite lee_fin sqr_ge0.
  - exact: measurable_squared.
  apply: (le_trans (lee_add (lexx _) (scale_le b0 (mean_square_increments n)))).
  rewrite -EFinM -EFinD lee_fin le_eqVlt; apply/orP; left; apply/eqP.
  have V : (r ^+ n * (r ^+ n)^-1 = 1)%R by rewrite mulfV// gt_eqF.
  by move: V; move: (2^-1 : R)%R ((r ^+ n)^-1)%R => half ri; move: (r ^+ n)%R => rn V; rewrite !expr2; nsatz.
set c := (2^-1 * (1 + D ^+ 2))%R in mean_small.
have c0 : (0 <= c)%R by rewrite mulr_ge0// addr_ge0 ?sqr_ge0.
apply: (@le_lt_trans _ _ (c / (1 - r))%:E); last by rewrite ltry.
apply: lime_le.
  by apply: is_cvg_nneseries => n _; apply: integral_ge0 => x _; rewrite lee_fin le_minr ler01 dist_ge0.
apply: nearW => n; apply: (@le_trans _ _ (c / (1 - r) * (1 - r ^+ n))%:E); last first.
  have cs : (0 <= c / (1 - r))%R by apply: divr_ge0 => //; exact: ltW.
  have le1 : (1 - r ^+ n <= 1)%R by rewrite ler_subl_addr ler_addl ltW.
  by rewrite lee_fin ler_pimulr.
elim: n => [|n IH]; first by rewrite big_nil expr0 subrr mulr0.
rewrite big_nat_recr//=; apply: (le_trans (lee_add IH (mean_small n))).
rewrite -EFinD lee_fin le_eqVlt; apply/orP; left; apply/eqP; rewrite (exprS r n).
have sV : ((1 - r) * (1 - r)^-1 = 1)%R by rewrite mulfV// gt_eqF.
by clearbody c; move: sV; move: ((1 - r)^-1)%R (r ^+ n)%R => si rn sV; nsatz.
Qed.
End MeanSquare.
