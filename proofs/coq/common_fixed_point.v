(** Remark 2.3 and its consequence: where all maps share a fixed point there is no
    difference between forward and backward. *)

From Coq Require Import Reals Lra Lia.
From TrainingInReverse Require Import metric_spaces compositions backward_contraction.
Local Open Scope R_scope.

Section CommonFixedPoint.
  Context {X : MetricSpace} (T : nat -> X -> X) (k : R) (p : X).
  Hypothesis k_nonneg : 0 <= k.
  Hypothesis T_lipschitz : uniformly_lipschitz k T.
  Hypothesis p_fixed : forall i, (1 <= i)%nat -> T i p = p.

  (** Remark 2.3: at a common fixed point the displacement is 0. *)
  Theorem displacement_zero_at_common_fixed_point : displacement_le T p 0.
  Proof. intros i Hi. rewrite p_fixed by assumption. rewrite distance_refl. lra. Qed.

  (** Row 25: d(T_n...T_1 x, p) <= k^n d(x, p): forward converges to it too, at the same rate. *)
  Theorem forward_rate_to_common_fixed_point : forall x n,
    distance (forward T n x) p <= k ^ n * distance x p.
  Proof.
    intros x n. induction n; simpl; [lra |].
    pose proof (T_lipschitz (S n) ltac:(lia) (forward T n x) p) as H.
    rewrite p_fixed in H by lia. rewrite Rmult_assoc.
    eapply Rle_trans; [exact H |]. apply Rmult_le_compat_l; assumption.
  Qed.

  (** Row 25: d(T_1...T_n x, p) <= k^n d(x, p). *)
  Theorem backward_rate_to_common_fixed_point : forall x n,
    distance (backward T n x) p <= k ^ n * distance x p.
  Proof.
    unfold backward. intros x n. generalize 0%nat.
    induction n; intros a; simpl; [lra |].
    pose proof (T_lipschitz (S a) ltac:(lia) (segment T (S a) n x) p) as H.
    rewrite p_fixed in H by lia. rewrite Rmult_assoc.
    eapply Rle_trans; [exact H |]. apply Rmult_le_compat_l; auto.
  Qed.

  (** Row 25: with k < 1 forward and backward iterates have the same limit, p. *)
  Theorem both_orders_converge_to_common_fixed_point : k < 1 -> forall x,
    converges (fun n => forward T n x) p /\ converges (fun n => backward T n x) p.
  Proof.
    intros Hk x. split;
      apply (converges_within _ _ (fun n => distance x p * k ^ n));
      try (apply geometric_vanishes; lra); intros n; rewrite Rmult_comm.
    - apply forward_rate_to_common_fixed_point.
    - apply backward_rate_to_common_fixed_point.
  Qed.
End CommonFixedPoint.

(** Row 76, the converse: if forward iterates converge and the map S recurs for ever among the
    T_i, then their limit is a fixed point of S. So where every map recurs, forward converges
    only to a common fixed point. *)
Theorem forward_limit_is_fixed_point : forall {X : MetricSpace} (T : nat -> X -> X) (S : X -> X) k x p,
  0 <= k -> lipschitz k S ->
  (forall N, exists i, (N <= i)%nat /\ T (1 + i)%nat = S) ->
  converges (fun n => forward T n x) p -> S p = p.
Proof.
  intros X T S k x p Hk HS Hrec Hp.
  destruct (Req_dec (distance (S p) p) 0) as [E | E]; [apply distance_separates; exact E |].
  exfalso. pose proof (distance_nonneg (S p) p) as Hn.
  assert (He : 0 < distance (S p) p / (1 + k)) by (apply Rdiv_lt_0_compat; lra).
  destruct (Hp _ He) as [N HN]. destruct (Hrec N) as (i & Hi & Hs).
  pose proof (HN i Hi) as H1. pose proof (HN (1 + i)%nat ltac:(lia)) as H2.
  simpl in H2. simpl in Hs. rewrite Hs in H2.
  pose proof (HS p (forward T i x)) as H3. rewrite (distance_sym p) in H3.
  pose proof (distance_triangle (S p) (S (forward T i x)) p).
  set (d := distance (S p) p) in *. set (e := d / (1 + k)) in *.
  assert (Ed : d = e * (1 + k)) by (unfold e; field; lra).
  nra.
Qed.
