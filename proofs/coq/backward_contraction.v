(** Theorem 2.2, the backward contraction mappings principle.

    Proved first on a closed set that all maps leave invariant; the global form
    (the whole space), the local form (a ball) and Banach's theorem (one map)
    are special cases. *)

From Coq Require Import Reals Lra Lia.
From TrainingInReverse Require Import metric_spaces compositions.
Local Open Scope R_scope.

(** T_1, T_2, ... have the Lipschitz constant k in common. *)
Definition uniformly_lipschitz {X : MetricSpace} (k : R) (T : nat -> X -> X) : Prop :=
  forall i, (1 <= i)%nat -> lipschitz k (T i).

(** d(x, T_i x) <= D for all i: the displacement at x is bounded. *)
Definition displacement_le {X : MetricSpace} (T : nat -> X -> X) (x : X) (D : R) : Prop :=
  forall i, (1 <= i)%nat -> distance x (T i x) <= D.

Section InvariantSet.
  Context {X : MetricSpace} (P : X -> Prop) (T : nat -> X -> X) (k : R).
  Hypothesis k_range : 0 <= k < 1.
  Hypothesis T_invariant : forall i x, (1 <= i)%nat -> P x -> P (T i x).
  Hypothesis T_lipschitz : forall i x y, (1 <= i)%nat -> P x -> P y ->
    distance (T i x) (T i y) <= k * distance x y.

  Lemma segment_invariant : forall n a x, P x -> P (segment T a n x).
  Proof. induction n; intros; simpl; auto. apply T_invariant; [lia | auto]. Qed.

  (** d(T_{a+1}...T_{a+n} x, T_{a+1}...T_{a+n} y) <= k^n d(x, y). *)
  Lemma segment_lipschitz : forall n a x y, P x -> P y ->
    distance (segment T a n x) (segment T a n y) <= k ^ n * distance x y.
  Proof.
    induction n; intros a x y Hx Hy; simpl; [lra |].
    eapply Rle_trans.
    - apply T_lipschitz; [lia | |]; apply segment_invariant; assumption.
    - rewrite Rmult_assoc. apply Rmult_le_compat_l; [lra | auto].
  Qed.

  Variable x0 : X.
  Hypothesis x0_in : P x0.
  Variable D : R.
  Hypothesis D_bound : displacement_le T x0 D.

  Lemma D_nonneg : 0 <= D.
  Proof. pose proof (distance_nonneg x0 (T 1%nat x0)). pose proof (D_bound 1%nat (le_n 1)). lra. Qed.

  (** d(x0, T_{a+1}...T_{a+n} x0) <= D (1 + k + ... + k^{n-1}). *)
  Lemma segment_displacement : forall n a,
    distance x0 (segment T a n x0) <= D * Rsum n (fun i => k ^ i).
  Proof.
    induction n; intros a.
    - simpl. rewrite distance_refl. lra.
    - rewrite segment_last. simpl Rsum. rewrite Rmult_plus_distr_l.
      eapply Rle_trans; [apply (distance_triangle _ (segment T a n x0)) |].
      apply Rplus_le_compat; [apply IHn |].
      eapply Rle_trans;
        [apply segment_lipschitz; [assumption | apply T_invariant; [lia | assumption]] |].
      rewrite Rmult_comm. apply Rmult_le_compat_r; [apply pow_le; lra |].
      apply D_bound. lia.
  Qed.

  Lemma cauchy_bound_on_set : forall n m, (n <= m)%nat ->
    distance (backward T n x0) (backward T m x0) <= D * k ^ n * ((1 - k ^ (m - n)) / (1 - k)).
  Proof.
    intros n m H. unfold backward. replace m with (n + (m - n))%nat at 1 by lia.
    rewrite segment_add.
    eapply Rle_trans; [apply segment_lipschitz; [| apply segment_invariant]; assumption |].
    rewrite (Rmult_comm D), Rmult_assoc. apply Rmult_le_compat_l; [apply pow_le; lra |].
    rewrite <- geometric_sum by lra. apply segment_displacement.
  Qed.

  Lemma tail_bound_on_set : forall n m, (n <= m)%nat ->
    distance (backward T n x0) (backward T m x0) <= D / (1 - k) * k ^ n.
  Proof.
    intros n m H. eapply Rle_trans; [apply cauchy_bound_on_set; assumption |].
    replace (D / (1 - k) * k ^ n) with (D * k ^ n * / (1 - k)) by (field; lra).
    apply Rmult_le_compat_l; [| apply geometric_sum_le; assumption].
    apply Rmult_le_pos; [apply D_nonneg | apply pow_le; lra].
  Qed.

  Lemma backward_cauchy_on_set : cauchy (fun n => backward T n x0).
  Proof.
    apply (cauchy_of_tail_bound _ (fun n => D / (1 - k) * k ^ n)).
    - apply tail_bound_on_set.
    - apply geometric_vanishes. assumption.
  Qed.

  Lemma rate_on_set : forall limit n,
    converges (fun n => backward T n x0) limit ->
    distance limit (backward T n x0) <= D / (1 - k) * k ^ n.
  Proof.
    intros limit n H. rewrite distance_sym.
    apply (distance_limit_le (fun n => backward T n x0) limit _ _ n H).
    intros m Hm. apply tail_bound_on_set. assumption.
  Qed.

  Lemma same_limit_on_set : forall limit x, P x ->
    converges (fun n => backward T n x0) limit -> converges (fun n => backward T n x) limit.
  Proof.
    intros limit x Hx H.
    apply (converges_close (fun n => backward T n x0) _ _ (fun n => distance x0 x * k ^ n)).
    - intros n. rewrite Rmult_comm. apply segment_lipschitz; assumption.
    - apply geometric_vanishes. assumption.
    - assumption.
  Qed.

  Lemma rate_other_start_on_set : forall limit x n, P x ->
    converges (fun n => backward T n x0) limit ->
    distance limit (backward T n x) <= (D / (1 - k) + distance x0 x) * k ^ n.
  Proof.
    intros limit x n Hx H. rewrite Rmult_plus_distr_r.
    eapply Rle_trans; [apply (distance_triangle _ (backward T n x0)) |].
    apply Rplus_le_compat; [apply rate_on_set; assumption |].
    rewrite (Rmult_comm (distance x0 x)). apply segment_lipschitz; assumption.
  Qed.
End InvariantSet.

(** ** The theorem on a complete metric space *)
Section WholeSpace.
  Context {X : MetricSpace} (T : nat -> X -> X) (k D : R) (x0 : X).

  (** Theorem 2.2, the Cauchy bound (rows 11 to 14, corrected):
      d(T_1...T_n x0, T_1...T_m x0) <= D k^n (1 - k^{m-n}) / (1 - k) for n <= m. *)
  Theorem backward_cauchy_bound :
    0 <= k < 1 -> uniformly_lipschitz k T -> displacement_le T x0 D ->
    forall n m, (n <= m)%nat ->
      distance (backward T n x0) (backward T m x0) <= D * k ^ n * ((1 - k ^ (m - n)) / (1 - k)).
  Proof.
    intros Hk HT HD. apply (cauchy_bound_on_set (fun _ => True)); auto.
    intros; apply HT; auto.
  Qed.

  (** Theorem 2.2: one point theta* is the limit of T_1...T_n x for every start x;
      d(theta*, T_1...T_n x0) <= D/(1-k) k^n from the reference point, and
      d(theta*, T_1...T_n x) <= (D/(1-k) + d(x0, x)) k^n from any other (row 16). *)
  Theorem backward_contraction :
    complete X -> 0 <= k < 1 -> uniformly_lipschitz k T -> displacement_le T x0 D ->
    exists limit : X,
      (forall x, converges (fun n => backward T n x) limit) /\
      (forall n, distance limit (backward T n x0) <= D / (1 - k) * k ^ n) /\
      (forall x n, distance limit (backward T n x) <= (D / (1 - k) + distance x0 x) * k ^ n).
  Proof.
    intros HX Hk HT HD.
    assert (HT' : forall i x y, (1 <= i)%nat -> True -> True ->
      distance (T i x) (T i y) <= k * distance x y) by (intros; apply HT; auto).
    destruct (HX _ (backward_cauchy_on_set (fun _ => True) T k Hk (fun _ _ _ _ => I) HT' x0 I D HD))
      as [limit Hl].
    exists limit. repeat split.
    - intros. apply (same_limit_on_set (fun _ => True) T k Hk) with (x0 := x0); auto.
    - intros. apply (rate_on_set (fun _ => True)); auto.
    - intros. apply (rate_other_start_on_set (fun _ => True)); auto.
  Qed.

  (** Theorem 2.2 with the paper's words: strict displacement bound at one point, limit and
      constant C for every start; the limit is the same for all of them, and unique. *)
  Theorem backward_contraction_as_printed :
    complete X -> 0 <= k < 1 -> uniformly_lipschitz k T ->
    (forall i, (1 <= i)%nat -> distance x0 (T i x0) < D) ->
    exists! limit : X, forall x,
      converges (fun n => backward T n x) limit /\
      exists C, forall n, distance limit (backward T n x) <= C * k ^ n.
  Proof.
    intros HX Hk HT HD.
    destruct backward_contraction as (limit & Hl & _ & Hr); auto.
    { intros i Hi. apply Rlt_le. auto. }
    exists limit. split.
    - intros x. split; auto. exists (D / (1 - k) + distance x0 x). auto.
    - intros limit' H. apply (limit_unique (fun n => backward T n x0)); [auto | apply H].
  Qed.

  (** Two starts approach each other at the rate k^n (rows 9 and 10):
      d(T_1...T_n x, T_1...T_n y) <= k^n d(x, y). *)
  Theorem two_starts : 0 <= k < 1 -> uniformly_lipschitz k T ->
    forall x y n, distance (backward T n x) (backward T n y) <= k ^ n * distance x y.
  Proof.
    intros Hk HT x y n. apply (segment_lipschitz (fun _ => True)); auto.
    intros; apply HT; auto.
  Qed.

  (** The displacement at another point (row 10): d(x, T_i x) <= D + (1 + k) d(x0, x). *)
  Theorem displacement_other_start :
    uniformly_lipschitz k T -> displacement_le T x0 D ->
    forall x, displacement_le T x (D + (1 + k) * distance x0 x).
  Proof.
    intros HT HD x i Hi. pose proof (HT i Hi x0 x). pose proof (HD i Hi).
    pose proof (distance_triangle x x0 (T i x)). pose proof (distance_triangle x0 (T i x0) (T i x)).
    rewrite (distance_sym x x0) in *. lra.
  Qed.
End WholeSpace.

(** The exact identity behind the rate: theta* = T_1...T_n (theta*_{n+1}), where theta*_{n+1}
    is the limit of the backward iterates of T_{n+1}, T_{n+2}, .... *)
Theorem limit_identity : forall {X : MetricSpace} (T : nat -> X -> X) k x0 n limit inner_limit,
  0 <= k < 1 -> uniformly_lipschitz k T ->
  converges (fun m => backward T m x0) limit ->
  converges (fun m => segment T n m x0) inner_limit ->
  limit = backward T n inner_limit.
Proof.
  intros X T k x0 n limit inner_limit Hk HT Hl Hi.
  apply (limit_unique (fun m => backward T (n + m) x0)).
  - apply (converges_shift (fun m => backward T m x0)). assumption.
  - intros eps Heps. destruct (Hi eps Heps) as [N HN]. exists N. intros m Hm.
    unfold backward. rewrite segment_add. simpl plus.
    eapply Rle_lt_trans; [apply (two_starts T k Hk HT) |].
    specialize (HN m Hm). pose proof (distance_nonneg (segment T n m x0) inner_limit).
    assert (k ^ n <= 1) by (rewrite <- (pow1 n); apply pow_incr; lra).
    pose proof (pow_le k n ltac:(lra)). nra.
Qed.

(** Row 86, the influence of one map on the limit: if T' differs from T in map j alone, and z is the
    limit of T_{j+1} T_{j+2} ..., then d(theta*, theta*' ) <= k^{j-1} d(T_j z, T'_j z). *)
Theorem influence_of_one_map : forall {X : MetricSpace} (T T' : nat -> X -> X) k x0 j z limit limit',
  0 <= k < 1 -> uniformly_lipschitz k T -> uniformly_lipschitz k T' ->
  (forall i, i <> S j -> T' i = T i) ->
  converges (fun m => segment T (S j) m x0) z ->
  converges (fun m => backward T m x0) limit -> converges (fun m => backward T' m x0) limit' ->
  distance limit limit' <= k ^ j * distance (T (S j) z) (T' (S j) z).
Proof.
  intros X T T' k x0 j z limit limit' Hk HT HT' Heq Hz Hl Hl'.
  assert (Hseg : forall n a x, (forall i, (a < i <= a + n)%nat -> i <> S j) -> segment T' a n x = segment T a n x).
  { induction n; intros a x Hi; simpl; [reflexivity |].
    rewrite IHn by (intros i H; apply Hi; lia). rewrite Heq by (apply Hi; lia). reflexivity. }
  assert (Hz' : converges (fun m => segment T' (S j) m x0) z).
  { apply (converges_ext (fun m => segment T (S j) m x0)); [| exact Hz].
    intros m. symmetry. apply Hseg. intros i Hi. lia. }
  rewrite (limit_identity T k x0 (S j) limit z Hk HT Hl Hz).
  rewrite (limit_identity T' k x0 (S j) limit' z Hk HT' Hl' Hz').
  rewrite !backward_succ. unfold backward at 2. rewrite Hseg by (intros i Hi; lia).
  apply (two_starts T k Hk HT).
Qed.

(** ** The local version *)

(** Theorem 2.2 on a ball (row 32): if every T_i is k-Lipschitz on the closed ball B(x0, r) and
    d(x0, T_i x0) <= (1 - k) r, then the T_i map the ball to itself, the backward iterates from
    every start in it have one limit theta* in it, and d(theta*, theta_n) <= (r + d(x0, x)) k^n. *)
Theorem backward_contraction_on_ball :
  forall {X : MetricSpace} (T : nat -> X -> X) k r x0,
  complete X -> 0 <= k < 1 ->
  (forall i x y, (1 <= i)%nat -> distance x0 x <= r -> distance x0 y <= r ->
     distance (T i x) (T i y) <= k * distance x y) ->
  displacement_le T x0 ((1 - k) * r) ->
  (forall i x, (1 <= i)%nat -> distance x0 x <= r -> distance x0 (T i x) <= r) /\
  exists limit, distance x0 limit <= r /\
    (forall x, distance x0 x <= r -> converges (fun n => backward T n x) limit) /\
    (forall n, distance limit (backward T n x0) <= r * k ^ n) /\
    (forall x n, distance x0 x <= r ->
       distance limit (backward T n x) <= (r + distance x0 x) * k ^ n).
Proof.
  intros X T k r x0 HX Hk HT HD.
  assert (Hr : 0 <= r).
  { pose proof (HD 1%nat (le_n 1)). pose proof (distance_nonneg x0 (T 1%nat x0)). nra. }
  assert (H0 : distance x0 x0 <= r) by (rewrite distance_refl; exact Hr).
  assert (Hinv : forall i x, (1 <= i)%nat -> distance x0 x <= r -> distance x0 (T i x) <= r).
  { intros i x Hi Hx. pose proof (distance_triangle x0 (T i x0) (T i x)).
    pose proof (HT i x0 x Hi H0 Hx). pose proof (HD i Hi). nra. }
  split; [exact Hinv |].
  set (P := fun x => distance x0 x <= r).
  destruct (HX _ (backward_cauchy_on_set P T k Hk Hinv HT x0 H0 _ HD)) as [limit Hl].
  assert (E : (1 - k) * r / (1 - k) = r) by (field; lra).
  exists limit. repeat split.
  - apply (distance_limit_le (fun n => backward T n x0) limit x0 r 0 Hl).
    intros n _. apply (segment_invariant P T Hinv n 0 x0 H0).
  - intros x Hx. apply (same_limit_on_set P T k Hk Hinv HT x0 H0 limit x Hx Hl).
  - intros n. rewrite <- E at 1. apply (rate_on_set P); auto.
  - intros x n Hx. rewrite <- E at 1. apply (rate_other_start_on_set P); auto.
Qed.

(** ** One map *)

(** Banach's fixed point theorem (row 3) as the case of one map: a unique fixed point p, and
    d(p, T^n x) <= d(x, T x)/(1-k) k^n for every start x. *)
Theorem banach_fixed_point : forall {X : MetricSpace} (T : X -> X) k (x0 : X),
  complete X -> 0 <= k < 1 -> lipschitz k T ->
  exists p, T p = p /\ (forall q, T q = q -> q = p) /\
    (forall x, converges (fun n => Nat.iter n T x) p) /\
    (forall x n, distance p (Nat.iter n T x) <= distance x (T x) / (1 - k) * k ^ n).
Proof.
  intros X T k x0 HX Hk HT.
  assert (HU : uniformly_lipschitz k (fun _ => T)) by (intros i _; exact HT).
  assert (HD : forall x, displacement_le (fun _ => T) x (distance x (T x)))
    by (intros x i _; apply Rle_refl).
  destruct (backward_contraction (fun _ => T) k _ x0 HX Hk HU (HD x0)) as (p & Hp & _ & _).
  assert (Hc : forall x, converges (fun n => Nat.iter n T x) p).
  { intros x. apply (converges_ext (fun n => backward (fun _ => T) n x)); auto.
    intros. apply backward_one_map. }
  exists p. repeat split; auto.
  - apply (limit_unique (fun n => Nat.iter (1 + n) T x0)).
    + simpl. intros eps Heps. destruct (Hc x0 eps Heps) as [N HN]. exists N. intros n Hn.
      specialize (HN n Hn). pose proof (HT (Nat.iter n T x0) p).
      pose proof (distance_nonneg (Nat.iter n T x0) p). nra.
    + apply (converges_shift (fun n => Nat.iter n T x0)). apply Hc.
  - intros q Hq. apply (limit_unique (fun n => Nat.iter n T q)); auto.
    intros eps Heps. exists 0%nat. intros n _.
    replace (Nat.iter n T q) with q; [rewrite distance_refl; assumption |].
    induction n; simpl; [reflexivity | rewrite <- IHn; auto].
  - intros x n. destruct (backward_contraction (fun _ => T) k _ x HX Hk HU (HD x))
      as (p' & Hp' & Hr & _).
    rewrite (limit_unique (fun n => backward (fun _ => T) n x) p p'); auto.
    rewrite <- (backward_one_map T). apply Hr.
Qed.

(** Row 26: a contraction has at most one fixed point, so two distinct common zeros of the
    losses exclude that the steps are contractions. *)
Theorem at_most_one_fixed_point : forall {X : MetricSpace} (T : X -> X) k (p q : X),
  k < 1 -> lipschitz k T -> T p = p -> T q = q -> p = q.
Proof.
  intros X T k p q Hk HT Hp Hq. apply distance_separates.
  pose proof (HT p q) as H. rewrite Hp, Hq in H. pose proof (distance_nonneg p q). nra.
Qed.

(** ** Other orders *)

Section Words.
  Context {X : MetricSpace} (k D : R) (x0 : X).
  Hypothesis k_range : 0 <= k < 1.
  Hypothesis D_nonneg : 0 <= D.

  (** The maps allowed in a word: k-Lipschitz, with displacement at most D at x0. *)
  Definition admissible (w : list (X -> X)) : Prop :=
    forall f, List.In f w -> lipschitz k f /\ distance x0 (f x0) <= D.

  Lemma word_lipschitz : forall w, admissible w -> forall x y,
    distance (compose w x) (compose w y) <= k ^ (length w) * distance x y.
  Proof.
    induction w as [| f w IH]; intros Hw x y; simpl; [lra |].
    eapply Rle_trans; [apply (Hw f); left; reflexivity |]. rewrite Rmult_assoc.
    apply Rmult_le_compat_l; [lra |]. apply IH. intros g Hg; apply Hw; right; assumption.
  Qed.

  Lemma word_displacement : forall w, admissible w -> distance x0 (compose w x0) <= D / (1 - k).
  Proof.
    assert (E : D / (1 - k) = D + k * (D / (1 - k))) by (field; lra).
    induction w as [| f w IH]; intros Hw; simpl.
    - rewrite distance_refl. apply Rmult_le_pos; [lra | apply Rlt_le, Rinv_0_lt_compat; lra].
    - destruct (Hw f (or_introl eq_refl)) as [Hf HD].
      specialize (IH (fun g Hg => Hw g (or_intror Hg))).
      pose proof (distance_triangle x0 (f x0) (f (compose w x0))).
      pose proof (Hf x0 (compose w x0)). nra.
  Qed.

  (** Row 71: two words of admissible maps that agree on their p outermost maps end within
      2 k^p D/(1-k) of each other, whatever follows. *)
  Theorem orders_that_agree_outside : forall common w w' : list (X -> X),
    admissible (common ++ w) -> admissible (common ++ w') ->
    distance (compose (common ++ w) x0) (compose (common ++ w') x0)
      <= 2 * k ^ (length common) * (D / (1 - k)).
  Proof.
    intros common w w' Hw Hw'. rewrite !compose_app.
    eapply Rle_trans;
      [apply word_lipschitz; intros f Hf; apply Hw, List.in_or_app; left; exact Hf |].
    pose proof (pow_le k (length common) ltac:(lra)).
    pose proof (distance_triangle (compose w x0) x0 (compose w' x0)) as Htri.
    rewrite (distance_sym _ x0) in Htri.
    pose proof (word_displacement w (fun f Hf => Hw f (List.in_or_app _ _ _ (or_intror Hf)))).
    pose proof (word_displacement w' (fun f Hf => Hw' f (List.in_or_app _ _ _ (or_intror Hf)))).
    nra.
  Qed.
End Words.
