(** Covariances of the iterates of Section 3.1.

    Centred square-integrable random variables form an inner-product space, <X, Y> = Cov(X, Y). Noises of
    one variance s^2 that are uncorrelated are orthogonal vectors of that square norm; no more is used. *)

From Coq Require Import Reals Lra Lia.
From TrainingInReverse Require Import metric_spaces compositions inner_product_spaces composition_expansion
  sharp_constant necessity.
Local Open Scope R_scope.
Local Open Scope vec_scope.

Section Covariances.
  Context {E : InnerProductSpace}.
  Variables (eps : nat -> E) (s : R).
  Hypothesis uncorrelated : forall i j, i <> j -> ⟨eps i, eps j⟩ = 0.
  Hypothesis variance : forall i, ⟨eps i, eps i⟩ = s * s.

  (** Cov(sum_i a_i eps_{i+1}, sum_i b_i eps_{i+1}) = s^2 sum_i a_i b_i over the common indices. *)
  Lemma covariance_with_one : forall n a i,
    ⟨vsum n (fun j => a j *v eps (S j)), eps (S i)⟩ = if (i <? n)%nat then s * s * a i else 0.
  Proof.
    induction n; intros a i; simpl vsum; [apply inner_zero_l |].
    rewrite inner_add_l, inner_scale_l, IHn.
    destruct (Nat.ltb_spec i n), (Nat.ltb_spec i (S n)); try lia.
    - rewrite uncorrelated by lia. ring.
    - replace i with n by lia. rewrite variance. ring.
    - rewrite uncorrelated by lia. ring.
  Qed.

  Lemma covariance_of_sums : forall n m a b, (n <= m)%nat ->
    ⟨vsum n (fun j => a j *v eps (S j)), vsum m (fun j => b j *v eps (S j))⟩
    = s * s * Rsum n (fun j => a j * b j).
  Proof.
    intros n m a b H. induction H as [| m H IH].
    - assert (Hk : forall k, (k <= n)%nat ->
        ⟨vsum n (fun j => a j *v eps (S j)), vsum k (fun j => b j *v eps (S j))⟩
        = s * s * Rsum k (fun j => a j * b j)).
      { induction k; intros Hk; simpl; [rewrite inner_zero_r; ring |].
        rewrite inner_add_r, inner_scale_r, covariance_with_one, IHk by lia.
        destruct (Nat.ltb_spec k n); [ring | lia]. }
      apply Hk. lia.
    - simpl vsum. rewrite inner_add_r, inner_scale_r, covariance_with_one, IH.
      destruct (Nat.ltb_spec m n); [lia | ring].
  Qed.

  Variable h : R.

  (** The centred iterates, as in quadratic_backward and quadratic_forward. *)
  Definition backward_noise (n : nat) : E := vsum n (fun j => (h * (1 - h) ^ j) *v eps (S j)).
  Definition forward_noise (n : nat) : E := vsum n (fun j => (h * (1 - h) ^ j) *v eps (n - j)%nat).

  Lemma forward_noise_indexed : forall n,
    forward_noise n = vsum n (fun j => (h * (1 - h) ^ (n - 1 - j)) *v eps (S j)).
  Proof.
    intros n. unfold forward_noise.
    rewrite <- (vsum_rev n (fun j => (h * (1 - h) ^ (n - 1 - j)) *v eps (S j))).
    apply vsum_ext. intros j Hj. do 2 f_equal; [do 2 f_equal; lia | lia].
  Qed.

  (** S_n = h^2 s^2 sum_{j<n} (1-h)^{2j}, the variance of both iterates. *)
  Definition iterate_variance (n : nat) : R := h * h * (s * s) * Rsum n (fun j => (1 - h) ^ j * (1 - h) ^ j).

  Lemma iterate_variance_nonneg : forall n, 0 <= iterate_variance n.
  Proof.
    intros n. unfold iterate_variance. apply Rmult_le_pos.
    - pose proof (Rle_0_sqr h). pose proof (Rle_0_sqr s). unfold Rsqr in *. apply Rmult_le_pos; assumption.
    - apply Rsum_nonneg. intros i _. apply (Rle_0_sqr ((1 - h) ^ i)).
  Qed.

  (** Row 84, the covariances: Cov(theta_n^B, theta_m^B) = S_n and Cov(theta_n^F, theta_m^F)
      = (1-h)^{m-n} S_n for n <= m. *)
  Theorem backward_covariance : forall n m, (n <= m)%nat ->
    ⟨backward_noise n, backward_noise m⟩ = iterate_variance n.
  Proof.
    intros n m H. unfold backward_noise, iterate_variance. rewrite covariance_of_sums by exact H.
    rewrite (Rsum_ext n _ (fun j => h * h * ((1 - h) ^ j * (1 - h) ^ j))) by (intros; ring).
    rewrite Rsum_scale. ring.
  Qed.

  Theorem forward_covariance : forall n m, (n <= m)%nat ->
    ⟨forward_noise n, forward_noise m⟩ = (1 - h) ^ (m - n) * iterate_variance n.
  Proof.
    intros n m H. rewrite !forward_noise_indexed, covariance_of_sums by exact H. unfold iterate_variance.
    rewrite (Rsum_ext n _ (fun j => h * h * (1 - h) ^ (m - n)
      * ((fun i => (1 - h) ^ i * (1 - h) ^ i) (n - 1 - j)%nat))).
    2: { intros j Hj. replace (m - 1 - j)%nat with ((m - n) + (n - 1 - j))%nat by lia. rewrite pow_add. ring. }
    rewrite Rsum_scale.
    assert (Hrev : forall k (f : nat -> R), Rsum k (fun j => f (k - 1 - j)%nat) = Rsum k f).
    { induction k; intros f; [reflexivity |]. rewrite Rsum_first. simpl Rsum at 2.
      rewrite (Rsum_ext k (fun i => f (S k - 1 - S i)%nat) (fun j => f (k - 1 - j)%nat))
        by (intros i Hi; f_equal; lia).
      rewrite IHk. replace (S k - 1 - 0)%nat with k by lia. ring. }
    rewrite (Hrev n (fun i => (1 - h) ^ i * (1 - h) ^ i)). ring.
  Qed.

  (** Row 84: equal variances, and for |1 - h| <= 1 the backward covariances are at least the forward
      ones; for |1 - h| < 1, n < m and h s <> 0 they are larger. *)
  Theorem backward_covariance_is_larger : Rabs (1 - h) <= 1 -> forall n m, (n <= m)%nat ->
    ⟨backward_noise n, backward_noise n⟩ = ⟨forward_noise n, forward_noise n⟩ /\
    ⟨forward_noise n, forward_noise m⟩ <= ⟨backward_noise n, backward_noise m⟩ /\
    (Rabs (1 - h) < 1 -> h <> 0 -> s <> 0 -> (0 < n < m)%nat ->
     ⟨forward_noise n, forward_noise m⟩ < ⟨backward_noise n, backward_noise m⟩).
  Proof.
    intros Hh n m H. rewrite !backward_covariance, !forward_covariance by lia.
    rewrite Nat.sub_diag. pose proof (iterate_variance_nonneg n) as HS.
    assert (Hp : (1 - h) ^ (m - n) <= 1).
    { eapply Rle_trans; [apply Rle_abs |]. rewrite <- RPow_abs.
      eapply Rle_trans; [apply pow_incr with (y := 1); split; [apply Rabs_pos | exact Hh] | rewrite pow1; lra]. }
    split; [simpl; ring | split; [nra |]]. intros Hh1 Hh0 Hs Hn.
    assert (Hpos : 0 < iterate_variance n).
    { unfold iterate_variance. apply Rmult_lt_0_compat.
      - apply Rmult_lt_0_compat; [apply (Rsqr_pos_lt h Hh0) | apply (Rsqr_pos_lt s Hs)].
      - destruct n as [| n]; [lia |]. rewrite Rsum_first. simpl ((1 - h) ^ 0).
        pose proof (Rsum_nonneg n (fun i => (1 - h) ^ S i * (1 - h) ^ S i)
          (fun i _ => Rle_0_sqr ((1 - h) ^ S i))). lra. }
    assert (Hlt : (1 - h) ^ (m - n) < 1).
    { eapply Rle_lt_trans; [apply Rle_abs |]. rewrite <- RPow_abs.
      destruct (m - n)%nat as [| k] eqn:Ek; [lia |]. simpl.
      assert (Rabs (1 - h) ^ k <= 1).
      { eapply Rle_trans; [apply pow_incr with (y := 1); split; [apply Rabs_pos | lra] | rewrite pow1; lra]. }
      pose proof (Rabs_pos (1 - h)). pose proof (pow_le (Rabs (1 - h)) k (Rabs_pos _)). nra. }
    nra.
  Qed.

  (** Row 58: the correction h^2 C_n = h^2 sum_i (n + 1 - 2i) eps_i of quadratic_correction has the
      variance h^4 s^2 n (n^2 - 1)/3 ... *)
  Theorem correction_variance : forall n,
    let C := vsum n (fun i => (INR n + 1 - 2 * INR (S i)) *v eps (S i)) in
    ⟨(h * h) *v C, (h * h) *v C⟩ = (h * h) * (h * h) * (s * s) * (INR n * (INR n * INR n - 1) / 3).
  Proof.
    intros n C. rewrite inner_scale_l, inner_scale_r. unfold C. rewrite covariance_of_sums by lia.
    assert (Hsum : forall k c, Rsum k (fun i => (c + 1 - 2 * INR (S i)) * (c + 1 - 2 * INR (S i)))
      = INR k * (c + 1) * (c + 1) - 2 * (c + 1) * INR k * (INR k + 1)
        + 2 * INR k * (INR k + 1) * (2 * INR k + 1) / 3).
    { induction k; intros c; [simpl; field |]. rewrite Rsum_S, IHk, S_INR. field. }
    rewrite (Hsum n (INR n)). field.
  Qed.

  (** ... which passes every bound, for h s <> 0. *)
  Theorem correction_variance_unbounded : h <> 0 -> s <> 0 -> forall B, exists N, forall n, (N <= n)%nat ->
    B < (h * h) * (h * h) * (s * s) * (INR n * (INR n * INR n - 1) / 3).
  Proof.
    intros Hh Hs B. set (c := (h * h) * (h * h) * (s * s)).
    assert (Hc : 0 < c).
    { unfold c. pose proof (Rsqr_pos_lt h Hh). pose proof (Rsqr_pos_lt s Hs). unfold Rsqr in *.
      apply Rmult_lt_0_compat; [apply Rmult_lt_0_compat |]; assumption. }
    destruct (INR_passes B c Hc) as [N HN]. exists (max N 2). intros n Hn.
    specialize (HN n ltac:(lia)).
    assert (H2 : 2 <= INR n) by (apply (le_INR 2 n); lia).
    assert (INR n <= INR n * (INR n * INR n - 1) / 3) by nra.
    pose proof (Rmult_le_compat_l c _ _ ltac:(lra) H). lra.
  Qed.
End Covariances.
