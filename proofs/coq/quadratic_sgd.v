(** Section 3.1: SGD on L(theta) = theta^2/2 with additive noise, in closed form. *)

From Coq Require Import Reals Lra Lia.
From TrainingInReverse Require Import metric_spaces compositions backward_contraction necessity.
Local Open Scope R_scope.

Section QuadraticSGD.
  Variables (h : R) (eps : nat -> R).

  (** T_i(theta) = theta - h (theta - eps_i). *)
  Definition quadratic_step (i : nat) (theta : R) : R := theta - h * (theta - eps i).

  (** Row 44: T_i(theta) = (1 - h) theta + h eps_i. *)
  Lemma quadratic_step_affine : forall i theta, quadratic_step i theta = (1 - h) * theta + h * eps i.
  Proof. intros. unfold quadratic_step. ring. Qed.

  (** Section 3.1, forward (row 44):
      T_n...T_1 theta = (1-h)^n theta + sum_{j < n} h (1-h)^j eps_{n-j}. *)
  Theorem quadratic_forward : forall n theta,
    forward quadratic_step n theta
      = (1 - h) ^ n * theta + Rsum n (fun j => h * (1 - h) ^ j * eps (n - j)%nat).
  Proof.
    induction n; intros theta; [simpl; ring |].
    simpl forward. rewrite quadratic_step_affine, IHn, Rsum_first.
    rewrite (Rsum_ext n (fun i => h * (1 - h) ^ S i * eps (S n - S i)%nat)
                        (fun j => (1 - h) * (h * (1 - h) ^ j * eps (n - j)%nat)))
      by (intros i Hi; simpl; ring).
    rewrite Rsum_scale, Nat.sub_0_r. simpl. ring.
  Qed.

  (** Section 3.1, backward (row 46, under its right label):
      T_1...T_n theta = (1-h)^n theta + sum_{j < n} h (1-h)^j eps_{j+1}. *)
  Theorem quadratic_backward : forall n theta,
    backward quadratic_step n theta
      = (1 - h) ^ n * theta + Rsum n (fun j => h * (1 - h) ^ j * eps (S j)).
  Proof.
    induction n; intros theta; [unfold backward; simpl; ring |].
    rewrite backward_succ, quadratic_step_affine, IHn, Rsum_S. simpl. ring.
  Qed.

  (** Row 45: |T_i x - T_i y| = |1 - h| |x - y|. *)
  Theorem quadratic_step_factor : forall i x y,
    distance (quadratic_step i x) (quadratic_step i y) = Rabs (1 - h) * distance x y.
  Proof.
    intros. simpl. rewrite !quadratic_step_affine, <- Rabs_mult. f_equal. ring.
  Qed.

  (** Row 45: a contraction if and only if 0 < h < 2 (the printed "theta in (0,1)" is a slip). *)
  Theorem quadratic_step_contracts_iff : Rabs (1 - h) < 1 <-> 0 < h < 2.
  Proof.
    split; [intros H; apply Rabs_def2 in H; lra | intros H; apply Rabs_def1; lra].
  Qed.

  (** Theorem 2.2 for Section 3.1: 0 < h < 2 and bounded noise |eps_i| <= B give convergence, with
      |theta* - T_1...T_n theta| <= (h B/(1-|1-h|) + |theta|) |1-h|^n. *)
  Theorem quadratic_backward_converges : forall B, 0 < h < 2 ->
    (forall i, (1 <= i)%nat -> Rabs (eps i) <= B) ->
    exists limit : R, forall theta,
      converges (fun n => backward quadratic_step n theta) limit /\
      forall n, Rabs (limit - backward quadratic_step n theta)
                <= (h * B / (1 - Rabs (1 - h)) + Rabs theta) * Rabs (1 - h) ^ n.
  Proof.
    intros B Hh HB. pose proof (proj2 quadratic_step_contracts_iff Hh) as Hk.
    destruct (backward_contraction quadratic_step (Rabs (1 - h)) (h * B) 0) as (limit & H1 & _ & H2).
    - apply real_line_complete.
    - split; [apply Rabs_pos | exact Hk].
    - intros i _ x y. right. apply quadratic_step_factor.
    - intros i Hi. simpl. rewrite quadratic_step_affine.
      replace (0 - ((1 - h) * 0 + h * eps i)) with (- (h * eps i)) by ring.
      rewrite Rabs_Ropp, Rabs_mult, (Rabs_pos_eq h) by lra. apply Rmult_le_compat_l; [lra | auto].
    - exists limit. intros theta. split; [apply H1 |]. intros n. specialize (H2 theta n).
      simpl in H2. rewrite Rminus_0_l, Rabs_Ropp in H2. exact H2.
  Qed.

  (** Section 3.1: forward iterates converge only if the noise itself does, and to the same value. *)
  Theorem quadratic_forward_needs_settling_noise : forall theta limit, 0 < h < 2 ->
    converges (fun n => forward quadratic_step n theta) limit -> converges eps limit.
  Proof.
    intros theta limit Hh Hl e He.
    destruct (Hl (h * e / 4)) as [N HN]; [nra |]. exists (S N). intros n Hn.
    destruct n as [| n]; [lia |].
    pose proof (HN n ltac:(lia)) as H1. pose proof (HN (S n) ltac:(lia)) as H2. simpl in *.
    rewrite quadratic_step_affine in H2. set (f := forward quadratic_step n theta) in *.
    (* h (eps_{n+1} - limit) = (theta_{n+1} - limit) - (1 - h) (theta_n - limit) *)
    apply Rabs_def2 in H1. apply Rabs_def2 in H2.
    apply Rabs_def1; apply (Rmult_lt_reg_l h); nra.
  Qed.

  (** And if the noise settles, so do they: forward converges if and only if eps_i does. *)
  Theorem quadratic_forward_converges_iff : forall theta limit, 0 < h < 2 ->
    (converges (fun n => forward quadratic_step n theta) limit <-> converges (fun n => eps (S n)) limit).
  Proof.
    intros theta limit Hh. split.
    - intros H. apply (quadratic_forward_needs_settling_noise theta limit Hh) in H.
      apply (converges_shift eps limit 1 H).
    - intros H e He.
      pose proof (proj2 quadratic_step_contracts_iff Hh) as Hk. set (k := Rabs (1 - h)) in *.
      pose proof (Rabs_pos (1 - h)) as Hk0. fold k in Hk0.
      destruct (H ((1 - k) * e / (2 * h))) as [N HN]; [apply Rdiv_lt_0_compat; nra |].
      set (f := fun n => forward quadratic_step n theta) in *.
      (* from N on, |theta_{N+j} - limit| <= k^j |theta_N - limit| + e/2 *)
      assert (Hj : forall j, Rabs (f (N + j)%nat - limit) <= k ^ j * Rabs (f N - limit) + e / 2).
      { induction j; [rewrite Nat.add_0_r; simpl; lra |].
        rewrite <- plus_n_Sm. change (f (S (N + j))) with (quadratic_step (S (N + j)) (f (N + j)%nat)).
        rewrite quadratic_step_affine.
        replace ((1 - h) * f (N + j)%nat + h * eps (S (N + j)) - limit)
          with ((1 - h) * (f (N + j)%nat - limit) + h * (eps (S (N + j)) - limit)) by ring.
        eapply Rle_trans; [apply Rabs_triang |]. rewrite !Rabs_mult, (Rabs_pos_eq h) by lra. fold k.
        specialize (HN (N + j)%nat ltac:(lia)). simpl in HN.
        assert (h * Rabs (eps (S (N + j)) - limit) <= (1 - k) * e / 2).
        { replace ((1 - k) * e / 2) with (h * ((1 - k) * e / (2 * h))) by (field; lra).
          apply Rmult_le_compat_l; lra. }
        assert (k * Rabs (f (N + j)%nat - limit) <= k * (k ^ j * Rabs (f N - limit) + e / 2))
          by (apply Rmult_le_compat_l; assumption).
        simpl pow. lra. }
      destruct (geometric_vanishes (Rabs (f N - limit)) k (conj Hk0 Hk) (e / 2)) as [N' HN']; [lra |].
      exists (N + N')%nat. intros n Hn. replace n with (N + (n - N))%nat by lia.
      specialize (HN' (n - N)%nat ltac:(lia)). unfold R_dist in HN'. rewrite Rminus_0_r in HN'.
      pose proof (Rle_abs (Rabs (f N - limit) * k ^ (n - N))). specialize (Hj (n - N)%nat).
      change (Rabs (f (N + (n - N))%nat - limit) < e). lra.
  Qed.
End QuadraticSGD.

(** Row 46: the printed label. The backward formula is not the forward iterate T_n...T_1 theta:
    at h = 1/2, n = 2, eps = (1, 0, ...), theta = 0 it gives 1/2, the forward iterate is 1/4. *)
Theorem printed_label_refuted : exists h eps n theta,
  0 < h < 2 /\
  forward (quadratic_step h eps) n theta
    <> (1 - h) ^ n * theta + Rsum n (fun j => h * (1 - h) ^ j * eps (S j)).
Proof.
  exists (1 / 2), (fun i => match i with 1%nat => 1 | _ => 0 end), 2%nat, 0. split; [lra |].
  unfold quadratic_step. simpl. lra.
Qed.

(** Row 45: "contractions provided theta in (0,1)" fails as a reading with h: outside (0,2) the
    step does not contract, whatever theta is. *)
Theorem step_outside_range_expands : forall h eps i, ~ (0 < h < 2) ->
  forall x y : R, distance x y <= distance (quadratic_step h eps i x) (quadratic_step h eps i y).
Proof.
  intros h eps i Hh x y. rewrite quadratic_step_factor.
  pose proof (distance_nonneg x y). 
  assert (1 <= Rabs (1 - h)).
  { apply Rnot_lt_le. intro H'. apply quadratic_step_contracts_iff in H'. contradiction. }
  nra.
Qed.
