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

(** ** Sharpness *)

(** The maps k x + D of the real line. *)
Definition affine_map (k D x : R) : R := k * x + D.

Lemma affine_lipschitz : forall k D, 0 <= k -> lipschitz k (affine_map k D).
Proof.
  intros k D Hk x y. simpl. unfold affine_map.
  replace (k * x + D - (k * y + D)) with (k * (x - y)) by ring.
  rewrite Rabs_mult, (Rabs_pos_eq k) by assumption. lra.
Qed.

Lemma affine_backward : forall k D n x, k <> 1 ->
  backward (fun _ => affine_map k D) n x = D / (1 - k) - k ^ n * (D / (1 - k) - x).
Proof.
  intros k D n x Hk. rewrite backward_one_map. induction n.
  - simpl. ring.
  - simpl Nat.iter. rewrite IHn. unfold affine_map. simpl. field. lra.
Qed.

Lemma affine_limit : forall k D x, 0 <= k < 1 ->
  converges (fun n => backward (fun _ => affine_map k D) n x) (D / (1 - k) : R).
Proof.
  intros k D x Hk. apply (converges_within _ _ (fun n => Rabs (D / (1 - k) - x) * k ^ n)).
  - intros n. rewrite affine_backward by lra. simpl.
    match goal with |- Rabs ?a <= _ => replace a with (- (k ^ n * (D / (1 - k) - x))) by ring end.
    rewrite Rabs_Ropp, Rabs_mult, (Rabs_pos_eq (k ^ n)) by (apply pow_le; lra). lra.
  - apply geometric_vanishes. assumption.
Qed.

(** Row 17: with d(x0, T_i x0) <= D the constant D/(1-k) is attained at every n:
    T_i x = k x + D from 0 has d(theta*, theta_n) = D/(1-k) k^n. *)
Theorem constant_attained : forall k D, 0 <= k < 1 -> 0 <= D ->
  let T := fun _ : nat => affine_map k D in
  uniformly_lipschitz k T /\ displacement_le T (0 : R) D /\
  exists limit : R,
    (forall x, converges (fun n => backward T n x) limit) /\
    (forall n, distance limit (backward T n 0) = D / (1 - k) * k ^ n).
Proof.
  intros k D Hk HD T. split; [| split].
  - intros i _. apply affine_lipschitz. lra.
  - intros i _. unfold T, affine_map. simpl.
    replace (0 - (k * 0 + D)) with (- D) by ring. rewrite Rabs_Ropp, Rabs_pos_eq by lra. lra.
  - exists (D / (1 - k)). split.
    + intros x. apply affine_limit. assumption.
    + intros n. unfold T. rewrite affine_backward by lra. simpl.
      replace (D / (1 - k) - (D / (1 - k) - k ^ n * (D / (1 - k) - 0)))
        with (D / (1 - k) * k ^ n) by ring.
      apply Rabs_pos_eq. apply Rmult_le_pos; [| apply pow_le; lra].
      apply Rmult_le_pos; [lra | apply Rlt_le, Rinv_0_lt_compat; lra].
Qed.

(** Row 16: the constant D/(1-k) + r at another start is attained as well
    (same maps, start -r, where r = d(x0, -r)). *)
Theorem constant_attained_other_start : forall k D r, 0 <= k < 1 -> 0 <= D -> 0 <= r ->
  let T := fun _ : nat => affine_map k D in
  distance (0 : R) (- r) = r /\
  forall limit : R, converges (fun n => backward T n (- r)) limit ->
    forall n, distance limit (backward T n (- r)) = (D / (1 - k) + r) * k ^ n.
Proof.
  intros k D r Hk HD Hr T. split.
  - simpl. replace (0 - - r) with r by ring. apply Rabs_pos_eq. assumption.
  - intros limit Hl n.
    rewrite (limit_unique _ _ _ Hl (affine_limit k D (- r) Hk)).
    unfold T. rewrite affine_backward by lra. simpl.
    replace (D / (1 - k) - (D / (1 - k) - k ^ n * (D / (1 - k) - - r)))
      with ((D / (1 - k) + r) * k ^ n) by ring.
    apply Rabs_pos_eq. apply Rmult_le_pos; [| apply pow_le; lra].
    apply Rplus_le_le_0_compat; [| assumption].
    apply Rmult_le_pos; [lra | apply Rlt_le, Rinv_0_lt_compat; lra].
Qed.

(** Row 17: under the printed strict inequality d(x0, T_i x0) < D and with k > 0, the bound
    D/(1-k) k^n is never attained. *)
Theorem constant_never_attained_if_strict :
  forall {X : MetricSpace} (T : nat -> X -> X) k D x0 limit,
  complete X -> 0 < k < 1 -> uniformly_lipschitz k T ->
  (forall i, (1 <= i)%nat -> distance x0 (T i x0) < D) ->
  converges (fun n => backward T n x0) limit ->
  forall n, distance limit (backward T n x0) < D / (1 - k) * k ^ n.
Proof.
  intros X T k D x0 limit HX Hk HT HD Hl n.
  (* the limit of T_{a+1} T_{a+2} ... from x0, and its distance to x0 *)
  assert (Htail : forall a, exists l, converges (fun m => segment T a m x0) l /\
                                     distance x0 l <= D / (1 - k)).
  { intros a. destruct (backward_contraction (fun i => T (a + i)%nat) k D x0)
      as (l & H1 & H2 & _); auto; try lra.
    - intros i Hi. apply HT. lia.
    - intros i Hi. apply Rlt_le, HD. lia.
    - exists l. split.
      + apply (converges_ext (fun m => backward (fun i => T (a + i)%nat) m x0)); auto.
        intros m. symmetry. apply segment_shift.
      + specialize (H2 0%nat). unfold backward in H2; simpl in H2. rewrite distance_sym. lra. }
  destruct (Htail n) as (ln & Hln & _). destruct (Htail (S n)) as (ls & Hls & Dls).
  assert (E : ln = T (S n) ls).
  { apply (limit_unique (fun m => segment T n (S m) x0)).
    - apply (converges_shift (fun m => segment T n m x0) ln 1). assumption.
    - simpl. intros eps Heps. destruct (Hls eps Heps) as [N HN]. exists N. intros m Hm.
      specialize (HN m Hm).
      pose proof (HT (S n) ltac:(lia) (segment T (S n) m x0) ls).
      pose proof (distance_nonneg (segment T (S n) m x0) ls). nra. }
  rewrite (limit_identity T k x0 n limit ln) by (auto; lra).
  eapply Rle_lt_trans; [apply (two_starts T k); auto; lra |].
  rewrite Rmult_comm. apply Rmult_lt_compat_r; [apply pow_lt; lra |].
  rewrite distance_sym, E.
  eapply Rle_lt_trans; [apply (distance_triangle _ (T (S n) x0)) |].
  pose proof (HD (S n) ltac:(lia)). pose proof (HT (S n) ltac:(lia) x0 ls).
  assert (k * distance x0 ls <= k * (D / (1 - k))) by (apply Rmult_le_compat_l; lra).
  replace (D / (1 - k)) with (D + k * (D / (1 - k))) by (field; lra). lra.
Qed.

(** Row 17: yet it is the best constant: no C < D/(1-k) serves for all maps with
    d(x0, T_i x0) < D. *)
Theorem constant_is_best_if_strict : forall k D C, 0 < k < 1 -> 0 < D -> C < D / (1 - k) ->
  exists T : nat -> R -> R,
    uniformly_lipschitz k T /\
    (forall i, (1 <= i)%nat -> distance (0 : R) (T i 0) < D) /\
    exists limit : R,
      (forall x, converges (fun n => backward T n x) limit) /\
      (forall n, C * k ^ n < distance limit (backward T n 0)).
Proof.
  intros k D C Hk HD HC.
  assert (HC' : C * (1 - k) < D).
  { apply (Rmult_lt_compat_r (1 - k)) in HC; [| lra].
    replace (D / (1 - k) * (1 - k)) with D in HC by (field; lra). exact HC. }
  set (D' := (Rmax (C * (1 - k)) 0 + D) / 2).
  assert (HD' : 0 < D' < D /\ C * (1 - k) < D').
  { unfold D'. unfold Rmax. destruct (Rle_dec (C * (1 - k)) 0); lra. }
  destruct (constant_attained k D' ltac:(lra) ltac:(lra)) as (H1 & H2 & limit & H3 & H4).
  exists (fun _ => affine_map k D'). split; [exact H1 |]. split.
  - intros i Hi. specialize (H2 i Hi). lra.
  - exists limit. split; [exact H3 |]. intros n. rewrite H4.
    apply Rmult_lt_compat_r; [apply pow_lt; lra |].
    apply (Rmult_lt_reg_r (1 - k)); [lra |].
    replace (D' / (1 - k) * (1 - k)) with D' by (field; lra). lra.
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

(** Row 32: invariance cannot be dropped. T x = x/2 + 3/5 is 1/2-Lipschitz, but it leaves [-1, 1]
    (displacement 3/5 > (1 - 1/2) 1), and its fixed point 6/5 lies outside. *)
Theorem ball_must_be_invariant :
  let T := affine_map (1 / 2) (3 / 5) in
  lipschitz (1 / 2) T /\ distance (0 : R) 1 <= 1 /\ 1 < distance (0 : R) (T 1) /\
  (forall p, T p = p -> 1 < distance (0 : R) p).
Proof.
  split; [apply affine_lipschitz; lra |]. unfold affine_map. simpl. repeat split.
  - replace (0 - 1) with (-1) by ring. rewrite Rabs_left; lra.
  - rewrite Rabs_left; lra.
  - intros p Hp. rewrite Rabs_left; lra.
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
