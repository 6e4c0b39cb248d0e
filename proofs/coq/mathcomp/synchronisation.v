(** Backward convergence is synchronisation of forward runs, and criteria for almost sure convergence.

    theta_n^B is Cauchy in probability if and only if two forward runs with the same maps, from theta_0
    and from a point X trained on the next maps, come together in probability, uniformly in the length
    of that training (row 78). *)

From mathcomp Require Import all_ssreflect ssralg ssrnum order interval.
From mathcomp.classical Require Import boolp classical_sets functions mathcomp_extra.
From mathcomp.analysis Require Import reals ereal signed topology normedtype sequences measure
  lebesgue_measure lebesgue_integral.
From TrainingInReverse.mathcomp Require Import general_equality_of_laws coupled_runs.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope classical_set_scope.
Local Open Scope ring_scope.
Local Open Scope ereal_scope.

(** ** Sequences of points under a distance *)
Section Distances.
Context (X : Type) (R : realType).
Variable dist : X * X -> R.
Hypothesis dist_ge0 : forall x y, (0 <= dist (x, y))%R.
Hypothesis dist_refl : forall x, dist (x, x) = 0%R.
Hypothesis dist_triangle : forall x y z, (dist (x, z) <= dist (x, y) + dist (y, z))%R.

Definition dist_cauchy (u : nat -> X) := forall e : R, (0 < e)%R -> exists N, forall n k,
  (N <= n)%N -> (dist (u n, u (n + k)%N) < e)%R.

Lemma dist_le_sum (u : nat -> X) n k :
  (dist (u n, u (n + k)%N) <= \sum_(n <= i < n + k) dist (u i, u i.+1))%R.
Proof.
elim: k => [|k IH]; first by rewrite addn0 dist_refl big_geq.
rewrite addnS big_nat_recr ?leq_addr//=; apply: (le_trans (dist_triangle _ (u (n + k)%N) _)).
by rewrite ler_add2r.
Qed.

(** Increments with a finite sum of 1 /\ d: the sequence is Cauchy. *)
Lemma cauchy_of_summable (u : nat -> X) :
  \sum_(n <oo) (Num.min 1 (dist (u n, u n.+1)))%:E < +oo -> dist_cauchy u.
Proof.
move=> fin; pose m i : R := Num.min 1%R (dist (u i, u i.+1)).
have m0 i : (0 <= m i)%R by rewrite /m le_minr ler01 dist_ge0.
have := nnseries_is_cvg m0 fin; move=> /cvg_cauchy /cauchy_seriesP H e e0.
have e1 : (0 < Num.min 1 e)%R by rewrite lt_minr ltr01 e0.
have [[A B] /= [[N1 _ AN1] [N2 _ BN2]] sub] := H _ e1.
exists (maxn N1 N2) => n k; rewrite geq_max => /andP[n1 n2].
have small j : (n <= j)%N -> (\sum_(n <= i < j) m i < Num.min 1 e)%R.
  move=> nj; have := sub (n, j) (conj (AN1 n n1) (BN2 j (leq_trans n2 nj))).
  by rewrite /= ger0_norm ?sumr_ge0.
have eqm i : (n <= i)%N -> dist (u i, u i.+1) = m i.
  move=> ni; have mi : (m i < 1)%R.
    apply: (@le_lt_trans _ _ (\sum_(n <= j < i.+1) m j)%R); last first.
      by apply: (lt_le_trans (small _ (leqW ni))); rewrite le_minl lexx.
    by rewrite big_nat_recr//= ler_addr sumr_ge0.
  by move: mi; rewrite /m minElt; case: ifP => //; rewrite ltxx.
apply: (le_lt_trans (dist_le_sum u n k)).
rewrite (_ : \sum_(n <= i < n + k) dist (u i, u i.+1) = \sum_(n <= i < n + k) m i)%R.
  by apply: (lt_le_trans (small _ (leq_addr _ _))); rewrite le_minl lexx orbT.
by apply: eq_big_nat => i /andP[ni _]; exact: eqm.
Qed.

(** The distance is complete: every Cauchy sequence has a limit. *)
Definition dist_complete := forall u, dist_cauchy u -> exists l, (fun n => dist (u n, l)) --> 0%R.

(** A set K that the maps do not leave: the diameters of T_1 ... T_n K bound all later increments. *)
Theorem cauchy_of_shrinking_images (u : nat -> X) (diameter : nat -> R) :
  (forall n k, (dist (u n, u (n + k)%N) <= diameter n)%R) ->
  (forall n, (diameter n.+1 <= diameter n)%R) ->
  (forall e : R, (0 < e)%R -> exists n, (diameter n < e)%R) -> dist_cauchy u.
Proof.
move=> tail decr small e e0; have [N dN] := small e e0; exists N => n k Nn.
apply: (le_lt_trans (tail n k)); apply: (le_lt_trans _ dN).
rewrite -(subnK Nn) addnC; elim: (n - N)%N => [|j IH]; first by rewrite addn0.
by rewrite addnS (le_trans (decr _)).
Qed.
End Distances.

Section Synchronisation.
Context d d' (Omega : measurableType d') (E : measurableType d) (X : topologicalType)
  (R : realType).
Variables (P : {measure set Omega -> \bar R}) (xi : nat -> Omega -> E).
Variables (f : E * borel X -> borel X) (theta0 : borel X).
Hypothesis P_setT : P setT = 1.
Hypothesis mxi : forall i, measurable_fun setT (xi i).
Hypothesis mf : measurable_fun setT f.

Variable dist : borel X * borel X -> R.
Hypothesis mdist : measurable_fun setT dist.
Hypothesis dist_ge0 : forall x y, (0 <= dist (x, y))%R.
Hypothesis dist_refl : forall x, dist (x, x) = 0%R.
Hypothesis dist_triangle : forall x y z, (dist (x, z) <= dist (x, y) + dist (y, z))%R.

Local Notation theta_B := (backward xi f theta0).
Local Notation theta_F := (forward xi f theta0).

(** (a): the backward iterates from theta_0 are Cauchy in probability. *)
Definition cauchy_in_probability := forall e delta : R, (0 < e)%R -> (0 < delta)%R ->
  exists N, forall n k, (N <= n)%N ->
    P [set x | (e < dist (theta_B n x, theta_B (n + k) x))%R] <= delta%:E.

(** Forward runs of n steps with the same maps from theta_0 and from X = T_{n+1} ... T_{n+k} theta_0. *)
Definition synchronises := forall e delta : R, (0 < e)%R -> (0 < delta)%R ->
  exists N, forall n k, (N <= n)%N ->
    P [set x | (e < dist (theta_F n x, forward xi f (later xi f theta0 n k x) n x))%R] <= delta%:E.

(** (b): forward runs forget a near start, theta_0 against T' theta_0. *)
Definition forgets_a_near_start := forall e delta : R, (0 < e)%R -> (0 < delta)%R ->
  exists N, forall n, (N <= n)%N ->
    P [set x | (e < dist (theta_F n x, forward xi f (f (xi n x, theta0)) n x))%R] <= delta%:E.

Lemma measurable_far (e : R) : measurable [set z | (e < dist z)%R].
Proof.
rewrite (_ : [set z | _] = dist @^-1` `]e, +oo[); last first.
  by apply/seteqP; split=> z /=; rewrite in_itv/= andbT.
by rewrite -[X in measurable X]setTI; apply: mdist => //; exact: measurable_itv.
Qed.

(** Row 78: Cauchy in probability if and only if forward runs synchronise, for letters that are
    reversible up to every n (independent and identically distributed, or exchangeable). *)
Theorem backward_converges_iff_synchronises :
  (forall n, reversible_up_to P xi n) -> cauchy_in_probability <-> synchronises.
Proof.
move=> rev.
have same (e : R) n k : P [set x | (e < dist (theta_B n x, theta_B (n + k) x))%R]
    = P [set x | (e < dist (theta_F n x, forward xi f (later xi f theta0 n k x) n x))%R].
  exact: (backward_pair_law theta0 mf k (rev n) (measurable_far e)).
by split=> H e delta e0 d0; have [N HN] := H e delta e0 d0; exists N => n k Nn;
  [rewrite -same|rewrite same]; exact: HN.
Qed.

(** Row 78: (a) implies (b). *)
Theorem convergence_forgets_a_near_start :
  (forall n, reversible_up_to P xi n) -> cauchy_in_probability -> forgets_a_near_start.
Proof.
move=> rev /(backward_converges_iff_synchronises rev) H e delta e0 d0.
have [N HN] := H e delta e0 d0; exists N => n Nn; have := HN n 1%N Nn.
have E1 : later xi f theta0 n 1 = fun x => f (xi n x, theta0).
  by apply/funext => x; rewrite /later /= addn0.
by rewrite E1.
Qed.

(** Row 78, almost surely: E sum_n 1 /\ d(theta_n, theta_{n+1}) < infinity makes almost every path
    Cauchy. By coupled_runs the summands are those of forward runs. *)
Theorem almost_surely_cauchy_of_increments :
  \sum_(n <oo) \int[P]_x (Num.min 1 (dist (theta_B n x, theta_B n.+1 x)))%:E < +oo ->
  {ae P, forall x, dist_cauchy dist (fun n => theta_B n x)}.
Proof.
move=> fin; pose term n x := (Num.min 1 (dist (theta_B n x, theta_B n.+1 x)))%:E.
have term0 n x : 0 <= term n x by rewrite lee_fin le_minr ler01 dist_ge0.
have mterm n : measurable_fun setT (term n).
  apply/EFin_measurable_fun.
  rewrite (_ : (fun x => _) = (fun x => - Num.max (- 1) (- dist (theta_B n x, theta_B n.+1 x)))%R); last first.
    by apply/funext => x; rewrite oppr_max !opprK.
  apply: measurable_funN; apply: measurable_fun_max; first exact: measurable_fun_cst.
  apply: measurable_funN.
  apply: (measurable_fun_comp (E := setT) (f := dist) (g := fun x => (theta_B n x, theta_B n.+1 x))) => //.
  by apply/prod_measurable_funP; split; exact: measurable_backward.
pose total x := \sum_(n <oo) term n x.
have itotal : P.-integrable setT total.
  split; first exact: ge0_emeasurable_fun_sum.
  rewrite (_ : (fun x => _) = total); last first.
    by apply/funext => x; rewrite gee0_abs//; exact: nneseries_ge0.
  by rewrite integral_nneseries.
move: (integrable_ae measurableT itotal) => [N [mN N0 sub]]; exists N; split=> // x /= nx.
apply: sub => /= fx; apply: nx; apply: cauchy_of_summable => //.
by have := fx I; rewrite fin_numElt => /andP[].
Qed.

(** ... and then, in a complete space, almost every path has a limit. *)
Theorem almost_sure_limit_of_increments : dist_complete dist ->
  \sum_(n <oo) \int[P]_x (Num.min 1 (dist (theta_B n x, theta_B n.+1 x)))%:E < +oo ->
  {ae P, forall x, exists l : borel X, (fun n => dist (theta_B n x, l)) --> 0%R}.
Proof.
move=> complete /almost_surely_cauchy_of_increments [N [mN N0 sub]]; exists N; split=> // x /= nx.
by apply: sub => /= c; apply: nx; exact: complete.
Qed.

(** Row 78, almost surely, by a bounded set: bounds of all later increments that decrease along every path
    and come below every e with probability 1 - delta, for every delta, make almost every path Cauchy.
    (The diameters of T_1 ... T_n K are such bounds, and have the laws of those of T_n ... T_1 K.) *)
Theorem almost_surely_cauchy_of_diameters (diameter : nat -> Omega -> R) :
  (forall n, measurable_fun setT (diameter n)) ->
  (forall n k x, (dist (theta_B n x, theta_B (n + k) x) <= diameter n x)%R) ->
  (forall n x, (diameter n.+1 x <= diameter n x)%R) ->
  (forall e delta : R, (0 < e)%R -> (0 < delta)%R -> exists n, P [set x | (e <= diameter n x)%R] <= delta%:E) ->
  {ae P, forall x, dist_cauchy dist (fun n => theta_B n x)}.
Proof.
move=> mdiam tail decr small.
pose large j n : set Omega := [set x | (j.+1%:R^-1 <= diameter n x)%R].
have mlarge j n : measurable (large j n).
  rewrite (_ : large j n = diameter n @^-1` `[j.+1%:R^-1, +oo[); last first.
    by apply/seteqP; split=> x /=; rewrite in_itv/= andbT.
  by rewrite -[X in measurable X]setTI; apply: mdiam => //; exact: measurable_itv.
pose N := \bigcup_j \bigcap_n large j n.
have mcap j : measurable (\bigcap_n large j n) by exact: bigcapT_measurable.
exists N; split; first exact: bigcupT_measurable.
- apply/eqP; rewrite eq_le measure_ge0 andbT.
  have null j : P (\bigcap_n large j n) = 0.
    apply/eqP; rewrite eq_le measure_ge0 andbT; apply: lee_adde => delta; rewrite add0e.
    have j0 : (0 < j.+1%:R^-1 :> R)%R by rewrite invr_gt0.
    have [n Hn] := small _ _ j0 (gt0 delta : (0 < delta%:num)%R); apply: (le_trans _ Hn).
    apply: le_measure; [rewrite inE; exact: mcap | rewrite inE; exact: mlarge |].
    by move=> x /(_ n I).
  have le_sum := @measure_sigma_sub_additive _ _ _ P N (fun j => \bigcap_n large j n) mcap
    (bigcupT_measurable _ mcap) (@subset_refl _ N).
  by apply: (le_trans le_sum); rewrite eseries0// => j _; exact: null.
- move=> x /= nx; apply: contrapT => xN; apply: nx.
  apply: (cauchy_of_shrinking_images (diameter := diameter^~ x)) => // e e0.
  apply: contrapT => none; apply: xN.
  have [j je] : exists j, (j.+1%:R^-1 < e)%R.
    exists (Num.bound e^-1); rewrite -[X in (_ < X)%R]invrK ltf_pinv ?posrE ?invr_gt0//.
    apply: (@lt_trans _ _ (Num.bound e^-1)%:R)%R; last by rewrite ltr_nat.
    by apply: archi_boundP; rewrite invr_ge0 ltW.
  exists j => // n _; rewrite /large /= leNgt; apply/negP => dn; apply: none.
  by exists n; exact: lt_trans dn je.
Qed.
End Synchronisation.
