(** The printed geometric sum in the proof of Theorem 2.2 (rows 13 and 14).

    Printed: d(theta_n, theta_m) <= D k^n (1 - k^{n-m+2}) / (1 - k), with an integer exponent that
    is negative for m > n + 2. The correct exponent is m - n (backward_cauchy_bound). *)

From Coq Require Import Reals Lra Lia ZArith.
From TrainingInReverse Require Import metric_spaces compositions backward_contraction
  sharp_constant.
Local Open Scope R_scope.

(** The bound as printed. *)
Definition printed_bound (D k : R) (n m : nat) : R :=
  D * k ^ n * ((1 - powerRZ k (Z.of_nat n - Z.of_nat m + 2)) / (1 - k)).

(** Row 14: at m = n + 2 the printed bound is 0. *)
Theorem printed_bound_zero : forall D k n, 0 < k < 1 -> printed_bound D k n (n + 2) = 0.
Proof.
  intros D k n Hk. unfold printed_bound.
  replace (Z.of_nat n - Z.of_nat (n + 2) + 2)%Z with 0%Z by lia. simpl. field. lra.
Qed.

(** Row 14: for m > n + 2 the printed bound is negative. *)
Theorem printed_bound_negative : forall D k n m, 0 < k < 1 -> 0 < D -> (n + 2 < m)%nat ->
  printed_bound D k n m < 0.
Proof.
  intros D k n m Hk HD Hm. unfold printed_bound.
  replace (Z.of_nat n - Z.of_nat m + 2)%Z with (- Z.of_nat (m - n - 2))%Z by lia.
  rewrite powerRZ_neg'. rewrite <- pow_powerRZ.
  set (j := (m - n - 2)%nat). assert (Hj : (1 <= j)%nat) by (unfold j; lia).
  assert (H : k ^ j < 1).
  { destruct j as [| j]; [lia |]. simpl.
    assert (k ^ j <= 1) by (rewrite <- (pow1 j); apply pow_incr; lra).
    pose proof (pow_lt k j ltac:(lra)). nra. }
  pose proof (pow_lt k j ltac:(lra)). pose proof (pow_lt k n ltac:(lra)).
  assert (1 < / k ^ j) by (rewrite <- Rinv_1; apply Rinv_lt_contravar; lra).
  assert (0 < D * k ^ n) by (apply Rmult_lt_0_compat; assumption).
  assert (Hneg : (1 - / k ^ j) / (1 - k) < 0).
  { unfold Rdiv. assert (0 < / (1 - k)) by (apply Rinv_0_lt_compat; lra). nra. }
  rewrite <- (Rmult_0_r (D * k ^ n)). apply Rmult_lt_compat_l; assumption.
Qed.

(** Row 14: the printed bound is false, for T x = x/2 + 1 from 0 (k = 1/2, D = 1) at every
    n and m = n + 2: the distance is positive, the printed bound is 0. *)
Theorem printed_bound_refuted :
  let T := fun _ : nat => affine_map (1 / 2) 1 in
  uniformly_lipschitz (1 / 2) T /\ displacement_le T 0 1 /\
  forall n, printed_bound 1 (1 / 2) n (n + 2) < distance (backward T n 0) (backward T (n + 2) 0).
Proof.
  split; [intros i _; apply affine_lipschitz; lra |]. split.
  - intros i _. unfold affine_map. simpl. rewrite Rabs_left; lra.
  - intros n. rewrite printed_bound_zero by lra. rewrite !affine_backward by lra. simpl.
    pose proof (pow_lt (1 / 2) n ltac:(lra)). rewrite pow_add.
    rewrite Rabs_left; simpl; nra.
Qed.

(** Row 13: the printed sum before it, 1 + k + ... + k^{m-n+1}, has two terms too many, so it is
    still a bound: the true sum 1 + ... + k^{m-n-1} is at most the printed one. *)
Theorem printed_sum_is_a_bound : forall k n m, 0 <= k -> (n <= m)%nat ->
  Rsum (m - n) (fun i => k ^ i) <= Rsum (m - n + 2) (fun i => k ^ i).
Proof.
  intros k n m Hk H. rewrite Rsum_add.
  pose proof (Rsum_nonneg 2 (fun i => k ^ (m - n + i)) (fun i _ => pow_le k _ Hk)). lra.
Qed.

(** Row 13: with two terms (m = n + 2, k = 1/2) the true sum is 3/2, the printed one 15/8. *)
Theorem printed_sum_is_loose : forall n,
  Rsum (n + 2 - n) (fun i => (1 / 2) ^ i) = 3 / 2 /\
  Rsum (n + 2 - n + 2) (fun i => (1 / 2) ^ i) = 15 / 8.
Proof.
  intros n. replace (n + 2 - n)%nat with 2%nat by lia. simpl. split; lra.
Qed.
