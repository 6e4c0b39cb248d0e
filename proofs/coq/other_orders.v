(** Orders other than backward (row 71): words that agree on ever more of their outermost maps converge as
    well, and backward is the only order that never changes them. *)

From Coq Require Import Reals Lra Lia List Permutation.
From TrainingInReverse Require Import metric_spaces compositions backward_contraction.
Import ListNotations.
Local Open Scope R_scope.

(** Row 71: words w_1, w_2, ... of admissible maps such that for each p the p outermost maps are the same
    from some step on. Their iterates converge. *)
Theorem agreeing_orders_converge :
  forall {X : MetricSpace} (k D : R) (x0 : X) (w : nat -> list (X -> X)),
  complete X -> 0 <= k < 1 -> 0 <= D -> (forall n, admissible k D x0 (w n)) ->
  (forall p, exists N, forall n, (N <= n)%nat -> (p <= length (w n))%nat /\ firstn p (w n) = firstn p (w N)) ->
  exists limit, converges (fun n => compose (w n) x0) limit.
Proof.
  intros X k D x0 w HX Hk HD Hw Hagree. apply HX. intros e He.
  destruct (geometric_vanishes (2 * (D / (1 - k))) k Hk e He) as [p Hp].
  specialize (Hp p (le_n p)). unfold R_dist in Hp. rewrite Rminus_0_r in Hp.
  destruct (Hagree p) as [N HN]. exists N. intros n m Hn Hm.
  destruct (HN n Hn) as [Ln En]. destruct (HN m Hm) as [Lm Em].
  pose proof (orders_that_agree_outside k D x0 Hk HD (firstn p (w n)) (skipn p (w n)) (skipn p (w m))) as H.
  assert (Em' : firstn p (w n) ++ skipn p (w m) = w m) by (rewrite En, <- Em; apply firstn_skipn).
  rewrite Em', firstn_skipn in H.
  specialize (H (Hw n) (Hw m)). rewrite firstn_length_le in H by exact Ln.
  eapply Rle_lt_trans; [exact H |]. eapply Rle_lt_trans; [| exact Hp].
  eapply Rle_trans; [| apply Rle_abs]. right. ring.
Qed.

(** Row 71, the strict sense: if iterate n applies each of T_1 ... T_n once, and its n outermost maps stay
    the outermost ones of every later iterate in their order, then it is the backward iterate. *)
Theorem backward_is_the_only_consistent_order : forall order : nat -> list nat,
  (forall n, Permutation (order n) (seq 1 n)) ->
  (forall n m, (n <= m)%nat -> firstn n (order m) = order n) ->
  forall n, order n = seq 1 n.
Proof.
  intros order Hperm Hkeep. induction n.
  - pose proof (Permutation_length (Hperm 0%nat)) as H. destruct (order 0%nat); [reflexivity | discriminate].
  - pose proof (Hkeep n (S n) ltac:(lia)) as H. rewrite IHn in H.
    rewrite <- (firstn_skipn n (order (S n))), H, seq_S. f_equal.
    pose proof (Hperm (S n)) as Hp. rewrite <- (firstn_skipn n (order (S n))), H, seq_S in Hp.
    apply Permutation_app_inv_l in Hp.
    apply Permutation_sym, Permutation_length_1_inv in Hp. exact Hp.
Qed.
