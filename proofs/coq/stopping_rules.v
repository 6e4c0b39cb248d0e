(** No rule can always tell whether backward iterates have settled (row 87).

    T is x/2, and x/2 + 2^B with a small probability p: contractions with a common factor 1/2 and a
    bounded displacement. A rule that has seen N maps, all of them x/2, has nothing to go by: with
    probability (1 - p)^N it sees them, and the same maps are all there is for p = 0, where the limit is 0. *)

From Coq Require Import Reals Lra Lia List Bool.
From TrainingInReverse Require Import metric_spaces compositions equality_of_laws.
Import ListNotations.
Local Open Scope R_scope.

(** The map x/2 and, for true, x/2 + 2^B. *)
Definition rare_jump (B : nat) (a : bool) (x : R) : R := x / 2 + (if a then 2 ^ B else 0).

(** true with probability p. *)
Definition rare (p : R) (a : bool) : R := if a then p else 1 - p.

(** No jump among the letters of w. *)
Definition quiet (w : list bool) : bool := forallb negb w.

Lemma quiet_probability : forall p n,
  expectation [true; false] (product_weight (rare p)) n (fun w => if quiet w then 1 else 0) = (1 - p) ^ n.
Proof.
  intros p. induction n; [unfold expectation; simpl; ring |].
  unfold expectation in *. cbn [sum_words sum_letters].
  rewrite (sum_words_ext _ n (fun w => product_weight (rare p) (true :: w) * _) (fun _ => 0 * 0))
    by (intros; simpl; ring).
  rewrite (sum_words_ext _ n (fun w => product_weight (rare p) (false :: w) * _)
    (fun w => (1 - p) * (product_weight (rare p) w * (if quiet w then 1 else 0))))
    by (intros; simpl; ring).
  rewrite !sum_words_scale, IHn. simpl. ring.
Qed.

Lemma rare_sums_to_1 : forall p, sum_letters [true; false] (rare p) = 1.
Proof. intros. simpl. ring. Qed.

Lemma quiet_app : forall u v, quiet (u ++ v) = quiet u && quiet v.
Proof. intros. apply forallb_app. Qed.

(** The iterate after quiet maps is 0 from 0; a jump at any of the first M maps leaves 2^{B-M+1}. *)
Lemma quiet_iterate : forall B w, quiet w = true -> backward_word (rare_jump B) w 0 = 0.
Proof.
  intros B w. unfold backward_word. induction w as [| a w IH]; intros H; [reflexivity |].
  simpl in *. apply andb_true_iff in H. destruct H as [Ha Hw]. rewrite IH by exact Hw.
  destruct a; [discriminate |]. unfold rare_jump. field.
Qed.

Lemma jumped_iterate : forall B w, quiet w = false ->
  2 ^ B * 2 * (1 / 2) ^ length w <= backward_word (rare_jump B) w 0.
Proof.
  intros B w. unfold backward_word.
  assert (Hpos : forall v, 0 <= compose (map (rare_jump B) v) 0).
  { induction v as [| a v IHv]; simpl; [lra |]. unfold rare_jump at 1.
    pose proof (pow_lt 2 B ltac:(lra)). destruct a; lra. }
  induction w as [| a w IH]; intros H; [discriminate |].
  simpl in *. unfold rare_jump at 1. pose proof (Hpos w). pose proof (pow_lt 2 B ltac:(lra)).
  pose proof (pow_le (1 / 2) (length w) ltac:(lra)).
  destruct a; simpl in H; [| specialize (IH H); lra].
  assert (Hle : (1 / 2) ^ length w <= 1).
  { eapply Rle_trans; [apply pow_incr with (y := 1); lra | rewrite pow1; lra]. }
  pose proof (Rmult_le_compat_l (2 ^ B) _ _ ltac:(lra) Hle). lra.
Qed.

Lemma rare_jump_lipschitz : forall B a, lipschitz (1 / 2) (rare_jump B a).
Proof.
  intros B a x y. simpl. unfold rare_jump.
  replace (x / 2 + (if a then 2 ^ B else 0) - (y / 2 + (if a then 2 ^ B else 0))) with (1 / 2 * (x - y)) by field.
  rewrite Rabs_mult, Rabs_pos_eq; lra.
Qed.

(** Row 87: with probability (1 - p)^N - (1 - p)^M the first N maps are all x/2, so that the iterate is
    0 and every increment was 0, and yet the iterate after M maps, and every later one, is at least
    2^{B+1-M}. For p small, M of the size 10/p and B >= M this is nearly (1 - p)^N, and the error is
    at least 2. *)
Theorem no_rule_can_always_tell : forall p B N M, 0 <= p <= 1 -> (N <= M)%nat -> (M <= B)%nat ->
  (forall a, lipschitz (1 / 2) (rare_jump B a) /\ distance (0 : R) (rare_jump B a 0) <= 2 ^ B) /\
  expectation [true; false] (product_weight (rare p)) M (fun w =>
    if quiet (firstn N w) && negb (quiet w) then 1 else 0) = (1 - p) ^ N - (1 - p) ^ M /\
  (forall w, length w = M -> quiet (firstn N w) && negb (quiet w) = true ->
     backward_word (rare_jump B) (firstn N w) 0 = 0 /\
     2 <= backward_word (rare_jump B) w 0 /\
     (forall v, 2 ^ B * 2 * (1 / 2) ^ length w <= backward_word (rare_jump B) (w ++ v) 0)).
Proof.
  intros p B N M Hp HNM HMB. split; [| split].
  - intros a. split; [apply rare_jump_lipschitz |]. unfold rare_jump. simpl.
    pose proof (pow_lt 2 B ltac:(lra)).
    replace (0 - (0 / 2 + (if a then 2 ^ B else 0))) with (- (if a then 2 ^ B else 0)) by field.
    rewrite Rabs_Ropp. destruct a; [rewrite Rabs_pos_eq; lra | rewrite Rabs_R0; lra].
  - replace (expectation [true; false] (product_weight (rare p)) M (fun w =>
      if quiet (firstn N w) && negb (quiet w) then 1 else 0))
      with (expectation [true; false] (product_weight (rare p)) M (fun w =>
        (if quiet (firstn N w) then 1 else 0) - (if quiet w then 1 else 0))).
    2: { unfold expectation. apply sum_words_ext. intros w _. f_equal.
         rewrite <- (firstn_skipn N w) at 2 4. rewrite quiet_app.
         destruct (quiet (firstn N w)), (quiet (skipn N w)); simpl; ring. }
    rewrite expectation_minus, quiet_probability. f_equal.
    replace M with (N + (M - N))%nat by lia.
    rewrite (expectation_prefix [true; false] (rare p) (rare_sums_to_1 p) N (M - N) (fun w => if quiet w then 1 else 0)).
    apply quiet_probability.
  - intros w Hl H. apply andb_true_iff in H. destruct H as [H1 H2]. apply negb_true_iff in H2.
    split; [apply quiet_iterate; exact H1 |].
    assert (Hb : 2 ^ B * 2 * (1 / 2) ^ length w <= backward_word (rare_jump B) w 0) by (apply jumped_iterate; exact H2).
    split.
    + eapply Rle_trans; [| exact Hb]. rewrite Hl.
      replace B with (M + (B - M))%nat by lia. rewrite pow_add.
      pose proof (pow_R1_Rle 2 (B - M) ltac:(lra)).
      assert (E : 2 ^ M * (1 / 2) ^ M = 1) by (rewrite <- Rpow_mult_distr; replace (2 * (1 / 2)) with 1 by field; apply pow1).
      replace (2 ^ M * 2 ^ (B - M) * 2 * (1 / 2) ^ M) with (2 ^ M * (1 / 2) ^ M * 2 ^ (B - M) * 2) by ring.
      rewrite E. lra.
    + intros v. eapply Rle_trans; [exact Hb |]. unfold backward_word. rewrite map_app, compose_app.
      assert (Hv : 0 <= compose (map (rare_jump B) v) 0).
      { clear. pose proof (pow_lt 2 B ltac:(lra)). induction v as [| a v IH]; simpl; [lra |].
        unfold rare_jump at 1. destruct a; lra. }
      revert Hv. generalize (compose (map (rare_jump B) v) 0). clear. intros y Hy.
      induction w as [| a w IH]; simpl; [exact Hy |]. unfold rare_jump at 1 3. destruct a; lra.
Qed.
