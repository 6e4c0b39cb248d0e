(** Index laws without independence: fresh shuffles in every epoch and one shuffle repeated. Which
    of them are reversible (row 39), and the variances of the smallest example (row 40). *)

From Coq Require Import Reals Lra Lia List Arith Bool Permutation.
From TrainingInReverse Require Import metric_spaces compositions equality_of_laws.
Import ListNotations.
Local Open Scope R_scope.

(** ** Drawing without replacement, afresh when all are drawn *)

Definition seen (a : nat) (used : list nat) : bool := existsb (Nat.eqb a) used.

(** What has been drawn in the present epoch once a is drawn too: nothing, if that completes it. *)
Definition after (N a : nat) (used : list nat) : list nat :=
  if (S (length used) =? N)%nat then [] else a :: used.

(** The probability of the word w, given what was drawn in the present epoch: each letter is
    uniform on those of 0 ... N-1 that the epoch has not seen. *)
Fixpoint shuffled (N : nat) (used w : list nat) : R :=
  match w with
  | [] => 1
  | a :: w' => if seen a used then 0 else / INR (N - length used) * shuffled N (after N a used) w'
  end.

(** The words of positive probability: no letter twice in an epoch. *)
Fixpoint possible (N : nat) (used w : list nat) : bool :=
  match w with
  | [] => true
  | a :: w' => negb (seen a used) && possible N (after N a used) w'
  end.

(** All words that are possible have one probability, which depends on their length alone. *)
Fixpoint each (N drawn n : nat) : R :=
  match n with
  | O => 1
  | S n' => / INR (N - drawn) * each N (if (S drawn =? N)%nat then O else S drawn) n'
  end.

Lemma length_after : forall N a used,
  length (after N a used) = if (S (length used) =? N)%nat then O else S (length used).
Proof. intros. unfold after. destruct (S (length used) =? N)%nat; reflexivity. Qed.

Lemma shuffled_uniform : forall N w used,
  shuffled N used w = if possible N used w then each N (length used) (length w) else 0.
Proof.
  induction w as [| a w IH]; intros used; cbn [shuffled possible each length]; [reflexivity |].
  destruct (seen a used); cbn [negb andb]; [reflexivity |]. rewrite IH, length_after.
  destruct (possible N (after N a used) w); [reflexivity | ring].
Qed.

Lemma each_positive : forall N n drawn, (drawn < N)%nat -> 0 < each N drawn n.
Proof.
  induction n; intros drawn H; cbn [each]; [lra |]. apply Rmult_lt_0_compat.
  - apply Rinv_0_lt_compat, lt_0_INR. lia.
  - destruct (S drawn =? N)%nat eqn:E.
    + apply IHn. lia.
    + apply Nat.eqb_neq in E. apply IHn. lia.
Qed.

Lemma seen_In : forall a used, seen a used = true <-> In a used.
Proof.
  intros a used. unfold seen. rewrite existsb_exists. split.
  - intros (b & Hb & E). apply Nat.eqb_eq in E. subst. exact Hb.
  - intros H. exists a. split; [exact H | apply Nat.eqb_refl].
Qed.

(** Inside one epoch: possible means without repetition. *)
Lemma possible_inside : forall N u v used,
  (length used + length u < N)%nat -> NoDup used ->
  (possible N used (u ++ v) = true <->
   NoDup (rev u ++ used) /\ possible N (rev u ++ used) v = true).
Proof.
  induction u as [| a u IH]; intros v used Hl Hn; simpl in *; [tauto |].
  rewrite andb_true_iff, negb_true_iff.
  assert (Ea : after N a used = a :: used).
  { unfold after. replace (S (length used) =? N)%nat with false; [reflexivity |].
    symmetry. apply Nat.eqb_neq. lia. }
  rewrite Ea, <- app_assoc. simpl.
  split.
  - intros [Hs Hp]. apply IH; [simpl; lia | | exact Hp]. constructor; [| exact Hn].
    intro Hin. apply seen_In in Hin. congruence.
  - intros [Hd Hp].
    assert (Hs : seen a used = false).
    { destruct (seen a used) eqn:E; [| reflexivity]. apply seen_In in E.
      apply NoDup_remove_2 in Hd. exfalso. apply Hd, in_or_app. right. exact E. }
    split; [exact Hs |]. apply IH; [simpl; lia | | split; assumption].
    constructor; [| exact Hn]. intro Hin. apply seen_In in Hin. congruence.
Qed.

(** A whole epoch: a word without repetition, and then afresh. *)
Lemma possible_epoch : forall N u v, (0 < N)%nat -> length u = N ->
  (possible N [] (u ++ v) = true <-> NoDup u /\ possible N [] v = true).
Proof.
  intros N u v HN Hu. destruct (exists_last (l := u)) as (u' & a & ->).
  { intros ->. simpl in Hu. lia. }
  rewrite app_length in Hu. simpl in Hu. rewrite <- app_assoc.
  rewrite possible_inside; [| simpl; lia | constructor].
  rewrite app_nil_r. simpl. rewrite andb_true_iff, negb_true_iff.
  unfold after. rewrite rev_length. replace (S (length u') =? N)%nat with true.
  2: { symmetry. apply Nat.eqb_eq. lia. }
  assert (E : NoDup (u' ++ [a]) <-> NoDup (rev u') /\ seen a (rev u') = false).
  { split.
    - intros H. apply NoDup_remove in H. rewrite app_nil_r in H. destruct H as [H1 H2]. split.
      + apply NoDup_rev. exact H1.
      + destruct (seen a (rev u')) eqn:E; [| reflexivity]. apply seen_In, in_rev in E. contradiction.
    - intros [H1 H2]. apply NoDup_rev in H1. rewrite rev_involutive in H1.
      apply (NoDup_Add (a := a) (l := u')).
      + replace u' with (u' ++ []) at 1 by apply app_nil_r. apply Add_app.
      + split; [exact H1 |]. intro Hin. apply in_rev in Hin. apply seen_In in Hin. congruence. }
  tauto.
Qed.

Lemma possible_part : forall N u, (length u <= N)%nat -> (possible N [] u = true <-> NoDup u).
Proof.
  intros N u Hu. destruct (Nat.eq_dec (length u) N) as [E | E].
  - destruct N as [| N]; [destruct u; [simpl; split; constructor | discriminate] |].
    pose proof (possible_epoch (S N) u [] ltac:(lia) E) as H. rewrite app_nil_r in H. simpl in H. tauto.
  - pose proof (possible_inside N u [] [] ltac:(simpl; lia) (NoDup_nil _)) as H.
    rewrite !app_nil_r in H. simpl in H. rewrite H. split.
    + intros [H1 _]. apply NoDup_rev in H1. rewrite rev_involutive in H1. exact H1.
    + intros H1. split; [apply NoDup_rev; exact H1 | reflexivity].
Qed.

(** Whole epochs may be split off at either end. *)
Lemma possible_epochs : forall N q u v, (0 < N)%nat -> length u = (q * N)%nat ->
  (possible N [] (u ++ v) = true <-> possible N [] u = true /\ possible N [] v = true).
Proof.
  induction q as [| q IH]; intros u v HN Hu.
  - destruct u; [| discriminate]. simpl. tauto.
  - assert (Hl : length (firstn N u) = N) by (rewrite firstn_length; lia).
    assert (Hr : length (skipn N u) = (q * N)%nat) by (rewrite skipn_length; lia).
    rewrite <- (firstn_skipn N u), <- app_assoc.
    rewrite (possible_epoch N _ _ HN Hl), (IH _ _ HN Hr), (possible_epoch N _ (skipn N u) HN Hl).
    tauto.
Qed.

Lemma possible_rev_epochs : forall N q w, (0 < N)%nat -> length w = (q * N)%nat ->
  possible N [] w = true -> possible N [] (rev w) = true.
Proof.
  induction q as [| q IH]; intros w HN Hw Hp.
  - destruct w; [reflexivity | discriminate].
  - assert (Hl : length (firstn N w) = N) by (rewrite firstn_length; lia).
    assert (Hr : length (skipn N w) = (q * N)%nat) by (rewrite skipn_length; lia).
    rewrite <- (firstn_skipn N w) in Hp. apply (possible_epoch N _ _ HN Hl) in Hp.
    destruct Hp as [H1 H2]. rewrite <- (firstn_skipn N w), rev_app_distr.
    apply (possible_epochs N q); [exact HN | rewrite rev_length; exact Hr |]. split.
    + apply IH; assumption.
    + apply possible_part; [rewrite rev_length; lia | apply NoDup_rev; exact H1].
Qed.

(** q epochs in the order 0 ... N-1, and then the letters N-1, ..., N-r. *)
Fixpoint repeated (q : nat) (u : list nat) : list nat :=
  match q with O => [] | S q' => u ++ repeated q' u end.

Definition stutter (N q r : nat) : list nat := repeated (S q) (seq 0 N) ++ rev (seq (N - r) r).

Lemma length_repeated : forall q u, length (repeated q u) = (q * length u)%nat.
Proof. induction q; intros; simpl; [reflexivity | rewrite app_length, IHq; reflexivity]. Qed.

Lemma repeated_snoc : forall q u, repeated (S q) u = repeated q u ++ u.
Proof.
  induction q; intros; simpl; [apply app_nil_r |]. rewrite <- app_assoc. f_equal. apply IHq.
Qed.

Lemma length_stutter : forall N q r, length (stutter N q r) = (S q * N + r)%nat.
Proof.
  intros. unfold stutter. rewrite app_length, length_repeated, rev_length, !seq_length. reflexivity.
Qed.

Lemma possible_repeated : forall N q, (0 < N)%nat -> possible N [] (repeated q (seq 0 N)) = true.
Proof.
  intros N q HN. induction q; [reflexivity |]. simpl repeated.
  apply possible_epoch; [exact HN | apply seq_length |]. split; [apply seq_NoDup | exact IHq].
Qed.

Lemma stutter_possible : forall N q r, (0 < r < N)%nat -> possible N [] (stutter N q r) = true.
Proof.
  intros N q r Hr. apply (possible_epochs N (S q)); [lia | |].
  - rewrite length_repeated, seq_length. reflexivity.
  - split; [apply possible_repeated; lia |]. apply possible_part.
    + rewrite rev_length, seq_length. lia.
    + apply NoDup_rev, seq_NoDup.
Qed.

(** Read backwards, its first N letters have N-1 twice. *)
Lemma stutter_not_reversible : forall N q r, (0 < r < N)%nat ->
  possible N [] (rev (stutter N q r)) = false.
Proof.
  intros N q r Hr. destruct (possible N [] (rev (stutter N q r))) eqn:E; [| reflexivity]. exfalso.
  unfold stutter in E. rewrite rev_app_distr, rev_involutive, repeated_snoc, rev_app_distr in E.
  (* the last r letters, then the epoch before them backwards: cut after N letters *)
  set (tail := seq (N - r) r) in *.
  assert (Et : length tail = r) by apply seq_length.
  rewrite <- (firstn_skipn (N - r) (rev (seq 0 N))) in E.
  rewrite <- app_assoc, app_assoc in E.
  apply possible_epoch in E; [| lia |].
  2: { rewrite app_length, firstn_length, rev_length, seq_length, Et. lia. }
  destruct E as [E _].
  assert (H1 : In (N - 1)%nat tail) by (apply in_seq; lia).
  assert (H2 : In (N - 1)%nat (firstn (N - r) (rev (seq 0 N)))).
  { replace N with (S (N - 1)) at 3 by lia. rewrite seq_S, rev_app_distr. simpl.
    replace (N - r)%nat with (S (N - r - 1)) by lia. simpl. left. reflexivity. }
  apply in_split in H1. destruct H1 as (l1 & l2 & Hs). rewrite Hs, <- app_assoc in E. simpl in E.
  apply NoDup_remove_2 in E. apply E, in_or_app. right. apply in_or_app. right. exact H2.
Qed.

Lemma stutter_in_alphabet : forall N q r, (r <= N)%nat ->
  is_word (seq 0 N) (S q * N + r) (stutter N q r).
Proof.
  intros N q r Hr. split; [apply length_stutter |]. intros a Ha. unfold stutter in Ha.
  apply in_app_or in Ha. destruct Ha as [Ha | Ha].
  - revert Ha. generalize (S q). intros n Ha. induction n; [contradiction |].
    simpl in Ha. apply in_app_or in Ha. destruct Ha; auto.
  - apply in_rev in Ha. apply in_seq in Ha. apply in_seq. lia.
Qed.

(** Row 39, fresh shuffles: words of n letters, shuffled afresh in every epoch of N, are reversible
    if and only if n <= N or N divides n. *)
Theorem shuffles_reversible_iff : forall N n, (0 < N)%nat ->
  (reversible (seq 0 N) (shuffled N []) n <-> (n <= N)%nat \/ (exists q, n = q * N)%nat).
Proof.
  intros N n HN. split.
  - intros H. destruct (le_lt_dec n N) as [| Hn]; [left; assumption | right].
    pose proof (Nat.div_mod n N ltac:(lia)) as Hd. pose proof (Nat.mod_upper_bound n N ltac:(lia)) as Hm.
    set (r := (n mod N)%nat) in *. set (q := (n / N)%nat) in *.
    destruct (Nat.eq_dec r 0) as [Hr | Hr]; [exists q; nia |]. exfalso.
    destruct q as [| q]; [nia |].
    assert (En : n = (S q * N + r)%nat) by nia.
    pose proof (stutter_in_alphabet N q r ltac:(lia)) as Hw. rewrite <- En in Hw.
    specialize (H _ Hw). rewrite !shuffled_uniform, stutter_not_reversible, stutter_possible in H by lia.
    pose proof (each_positive N (length (stutter N q r)) (@length nat []) ltac:(simpl; lia)). lra.
  - intros Hn w [Hl _]. rewrite !shuffled_uniform, rev_length.
    assert (Hiff : possible N [] (rev w) = true <-> possible N [] w = true).
    { destruct Hn as [Hn | [q Hn]].
      - rewrite !possible_part by (try rewrite rev_length; lia). split; intros H.
        + rewrite <- (rev_involutive w). apply NoDup_rev. exact H.
        + apply NoDup_rev. exact H.
      - split; intros H.
        + rewrite <- (rev_involutive w). apply (possible_rev_epochs N q); [exact HN | | exact H].
          rewrite rev_length. lia.
        + apply (possible_rev_epochs N q); [exact HN | lia | exact H]. }
    destruct (possible N [] (rev w)) eqn:E1, (possible N [] w) eqn:E2; try reflexivity;
      [destruct Hiff as [H _] | destruct Hiff as [_ H]]; discriminate (H eq_refl).
Qed.

(** A sum over words picks one term. *)
Lemma sum_letters_pick : forall al a c, NoDup al -> In a al ->
  sum_letters al (fun b => if Nat.eq_dec b a then c else 0) = c.
Proof.
  induction al as [| b al IH]; intros a c Hn Hin; [contradiction |].
  inversion Hn as [| ? ? Hb Hn']; subst. simpl. destruct Hin as [-> | Hin].
  - destruct (Nat.eq_dec a a); [| contradiction].
    rewrite (sum_letters_ext al _ (fun _ => 0)); [rewrite sum_letters_zero; ring |].
    intros x Hx. destruct (Nat.eq_dec x a); [subst; contradiction | reflexivity].
  - rewrite IH by assumption. destruct (Nat.eq_dec b a); [subst; contradiction | ring].
Qed.

Lemma sum_words_pick : forall al n w c, NoDup al -> is_word al n w ->
  sum_words al n (fun v => if list_eq_dec Nat.eq_dec v w then c else 0) = c.
Proof.
  intros al n w c Hn. revert w. induction n; intros w [Hl Hw].
  - destruct w; [reflexivity | discriminate].
  - destruct w as [| a w]; [discriminate |]. cbn [sum_words].
    rewrite (sum_letters_ext al _ (fun b => if Nat.eq_dec b a then c else 0)).
    + apply sum_letters_pick; [exact Hn | apply Hw; left; reflexivity].
    + intros b _. destruct (Nat.eq_dec b a) as [-> | Hb].
      * transitivity (sum_words al n (fun v => if list_eq_dec Nat.eq_dec v w then c else 0)).
        { apply sum_words_ext. intros v _.
          destruct (list_eq_dec Nat.eq_dec (a :: v) (a :: w)) as [E | E],
            (list_eq_dec Nat.eq_dec v w) as [E' | E']; try reflexivity; exfalso.
          - injection E. exact E'.
          - apply E. rewrite E'. reflexivity. }
        apply IHn. split; [simpl in Hl; congruence |]. intros x Hx. apply Hw. right. exact Hx.
      * rewrite (sum_words_ext al n _ (fun _ => 0 * 0)).
        { rewrite sum_words_scale. ring. }
        intros v _. destruct (list_eq_dec Nat.eq_dec (b :: v) (a :: w)); [congruence | ring].
Qed.

(** The maps that write their letter down: forward iterates are words backwards. *)
Definition write (a : nat) (x : list nat) : list nat := a :: x.

Lemma compose_write : forall w, compose (map write w) [] = w.
Proof. induction w; [reflexivity |]. simpl. unfold write at 1. f_equal. exact IHw. Qed.

(** Row 39, for any law of words: all families of maps have equal forward and backward laws after
    n steps if and only if words of n letters are reversible. *)
Theorem equal_laws_iff_reversible : forall N (P : list nat -> R) n,
  (forall (X : Type) (T : nat -> X -> X) (phi : X -> R) x,
     expectation (seq 0 N) P n (fun w => phi (forward_word T w x))
     = expectation (seq 0 N) P n (fun w => phi (backward_word T w x)))
  <-> reversible (seq 0 N) P n.
Proof.
  intros N P n. split.
  - intros H w Hw.
    specialize (H _ write (fun v => if list_eq_dec Nat.eq_dec v w then 1 else 0) []).
    unfold expectation, forward_word, backward_word in H.
    rewrite (sum_words_ext (seq 0 N) n _
      (fun v => if list_eq_dec Nat.eq_dec v (rev w) then P (rev w) else 0)) in H.
    2: { intros v _. rewrite compose_write.
         destruct (list_eq_dec Nat.eq_dec (rev v) w) as [<- | E1].
         - rewrite rev_involutive. destruct (list_eq_dec Nat.eq_dec v v); [ring | congruence].
         - destruct (list_eq_dec Nat.eq_dec v (rev w)) as [-> | _]; [| ring].
           rewrite rev_involutive in E1. congruence. }
    rewrite (sum_words_ext (seq 0 N) n (fun v => P v * _)
      (fun v => if list_eq_dec Nat.eq_dec v w then P w else 0)) in H.
    2: { intros v _. rewrite compose_write.
         destruct (list_eq_dec Nat.eq_dec v w) as [-> | _]; ring. }
    rewrite !sum_words_pick in H; try apply seq_NoDup; auto.
    apply is_word_rev. exact Hw.
  - intros H X T phi x. apply equal_laws_if_reversible. exact H.
Qed.

(** Row 39: with fresh shuffles of N, forward and backward iterates have equal laws for all
    families of N maps if and only if n <= N or N divides n. *)
Theorem shuffles_equal_laws_iff : forall N n, (0 < N)%nat ->
  ((forall (X : Type) (T : nat -> X -> X) (phi : X -> R) x,
      expectation (seq 0 N) (shuffled N []) n (fun w => phi (forward_word T w x))
      = expectation (seq 0 N) (shuffled N []) n (fun w => phi (backward_word T w x)))
   <-> (n <= N)%nat \/ (exists q, n = q * N)%nat).
Proof. intros N n HN. rewrite equal_laws_iff_reversible. apply shuffles_reversible_iff. exact HN. Qed.

(** ** One shuffle, repeated *)

(** The words that repeat one shuffle of N: letters are equal exactly where their places differ by
    a multiple of N. All of them have one probability c (depending on n and N). *)
Definition repeats_one_shuffle (N : nat) (w : list nat) : Prop :=
  forall i j, (i < length w)%nat -> (j < length w)%nat ->
    (nth i w O = nth j w O <-> (i mod N = j mod N)%nat).

Lemma mod_reflect : forall N n i j, (0 < N)%nat -> (i < n)%nat -> (j < n)%nat ->
  (i mod N = j mod N)%nat -> ((n - S i) mod N = (n - S j) mod N)%nat.
Proof.
  assert (Hle : forall N n i j, (0 < N)%nat -> (i <= j)%nat -> (j < n)%nat ->
    (i mod N = j mod N)%nat -> ((n - S i) mod N = (n - S j) mod N)%nat).
  { intros N n i j HN Hij Hj E.
    pose proof (Nat.div_mod i N ltac:(lia)). pose proof (Nat.div_mod j N ltac:(lia)).
    assert (Hq : (i / N <= j / N)%nat) by (apply Nat.div_le_mono; lia).
    replace (n - S i)%nat with ((n - S j) + (j / N - i / N) * N)%nat by nia.
    apply Nat.mod_add. lia. }
  intros N n i j HN Hi Hj E. destruct (le_lt_dec i j); [auto |]. symmetry. apply Hle; auto; lia.
Qed.

Lemma repeats_one_shuffle_rev : forall N w, (0 < N)%nat ->
  repeats_one_shuffle N w -> repeats_one_shuffle N (rev w).
Proof.
  intros N w HN H i j Hi Hj. rewrite rev_length in *.
  rewrite !rev_nth by assumption.
  pose proof (H (length w - S i)%nat (length w - S j)%nat ltac:(lia) ltac:(lia)) as [H1 H2].
  split; intros E; [apply H1 in E | apply H2].
  - pose proof (mod_reflect N (length w) (length w - S i) (length w - S j) HN ltac:(lia) ltac:(lia) E) as E'.
    replace (length w - S (length w - S i))%nat with i in E' by lia.
    replace (length w - S (length w - S j))%nat with j in E' by lia. exact E'.
  - apply mod_reflect; assumption.
Qed.

(** Row 39: one shuffle repeated in every epoch is reversible at every n, so laws are equal. *)
Theorem one_shuffle_equal_laws : forall N (P : list nat -> R) n c (X : Type) (T : nat -> X -> X) phi x,
  (0 < N)%nat ->
  (forall w, length w = n -> (repeats_one_shuffle N w -> P w = c) /\ (~ repeats_one_shuffle N w -> P w = 0)) ->
  expectation (seq 0 N) P n (fun w => phi (forward_word T w x))
  = expectation (seq 0 N) P n (fun w => phi (backward_word T w x)).
Proof.
  intros N P n c X T phi x HN HP. apply equal_laws_if_reversible. intros w [Hl _].
  assert (Hr : length (rev w) = n) by (rewrite rev_length; exact Hl).
  destruct (HP w Hl) as [H1 H2]. destruct (HP (rev w) Hr) as [H3 H4].
  destruct (Req_dec (P w) c) as [E | E].
  - destruct (Req_dec (P (rev w)) c) as [E' | E']; [congruence |].
    assert (Hn : ~ repeats_one_shuffle N (rev w)) by (intro H; apply E', H3, H).
    rewrite H4 by exact Hn. rewrite H2; [reflexivity |].
    intro H. apply Hn, repeats_one_shuffle_rev; assumption.
  - assert (Hn : ~ repeats_one_shuffle N w) by (intro H; apply E, H1, H).
    rewrite H2, H4; [reflexivity | | exact Hn].
    intro H. apply Hn. rewrite <- (rev_involutive w). apply repeats_one_shuffle_rev; assumption.
Qed.

(** ** The variances of the smallest example *)

(** The maps x/2 and x/2 + 1/2. *)
Definition half_map (a : nat) (x : R) : R := (x + INR a) / 2.

Definition mean (n : nat) (F : list nat -> R) : R := expectation (seq 0 2) (shuffled 2 []) n F.
Definition variance (n : nat) (F : list nat -> R) : R := mean n (fun w => F w ^ 2) - mean n F ^ 2.

(** An epoch is 01 or 10, each of probability 1/2. *)
Lemma mean_epoch : forall n F, mean (S (S n)) F
  = 1 / 2 * mean n (fun w => F (0 :: 1 :: w)%nat) + 1 / 2 * mean n (fun w => F (1 :: 0 :: w)%nat).
Proof.
  intros n F. unfold mean, expectation. cbn [seq sum_words sum_letters].
  rewrite <- !sum_words_scale.
  rewrite (sum_words_ext _ n (fun w => shuffled 2 [] (0 :: 0 :: w)%nat * _) (fun _ => 0 * 0))
    by (intros; simpl; ring).
  rewrite (sum_words_ext _ n (fun w => shuffled 2 [] (1 :: 1 :: w)%nat * _) (fun _ => 0 * 0))
    by (intros; simpl; ring).
  rewrite !(sum_words_scale _ n 0).
  rewrite (sum_words_ext _ n (fun w => shuffled 2 [] (0 :: 1 :: w)%nat * _)
    (fun w => 1 / 2 * (shuffled 2 [] w * F (0 :: 1 :: w)%nat)))
    by (intros w _; change (shuffled 2 [] (0 :: 1 :: w)%nat) with (/ INR 2 * (/ INR 1 * shuffled 2 [] w)); simpl INR; field).
  rewrite (sum_words_ext _ n (fun w => shuffled 2 [] (1 :: 0 :: w)%nat * _)
    (fun w => 1 / 2 * (shuffled 2 [] w * F (1 :: 0 :: w)%nat)))
    by (intros w _; change (shuffled 2 [] (1 :: 0 :: w)%nat) with (/ INR 2 * (/ INR 1 * shuffled 2 [] w)); simpl INR; field).
  ring.
Qed.

Lemma mean_ext : forall n F G, (forall w, F w = G w) -> mean n F = mean n G.
Proof.
  intros n F G H. unfold mean, expectation. apply sum_words_ext. intros w _. rewrite H. reflexivity.
Qed.

Lemma forward_word_cons : forall a w x,
  forward_word half_map (a :: w) x = forward_word half_map w (half_map a x).
Proof.
  intros. unfold forward_word. simpl. rewrite map_app, compose_app. reflexivity.
Qed.

Lemma backward_word_cons : forall a w x,
  backward_word half_map (a :: w) x = half_map a (backward_word half_map w x).
Proof. reflexivity. Qed.

Lemma mean_zero : forall F, mean 0 F = F [].
Proof. intros. unfold mean, expectation. simpl. ring. Qed.

Lemma mean_one : forall F, mean 1 F = 1 / 2 * F [0%nat] + 1 / 2 * F [1%nat].
Proof. intros. unfold mean, expectation. simpl. field. Qed.

(** After m epochs, and one step later, from any start x. *)
Lemma forward_moments : forall m x, let q := (1 / 4) ^ m in
  mean (2 * m) (fun w => forward_word half_map w x) = 1 / 2 + q * (x - 1 / 2) /\
  mean (2 * m) (fun w => forward_word half_map w x ^ 2)
    = 1 / 60 * (1 - q ^ 2) + (1 / 2 + q * (x - 1 / 2)) ^ 2 /\
  mean (S (2 * m)) (fun w => forward_word half_map w x) = 1 / 2 + q * (x - 1 / 2) / 2 /\
  mean (S (2 * m)) (fun w => forward_word half_map w x ^ 2)
    = 1 / 15 - q ^ 2 / 240 + (1 / 2 + q * (x - 1 / 2) / 2) ^ 2.
Proof.
  assert (Hq : forall m, (1 / 4) ^ S m = (1 / 4) ^ m / 4) by (intros; simpl; field).
  induction m as [| m IH]; intros x q.
  - unfold q. rewrite Nat.mul_0_r, !mean_zero, !mean_one.
    unfold forward_word, compose, half_map. simpl. repeat split; field.
  - replace (2 * S m)%nat with (S (S (2 * m))) by lia. unfold q. rewrite Hq. clear q.
    set (q := (1 / 4) ^ m) in *.
    assert (E0 : half_map 1 (half_map 0 x) = x / 4 + 1 / 2) by (unfold half_map; simpl; field).
    assert (E1 : half_map 0 (half_map 1 x) = x / 4 + 1 / 4) by (unfold half_map; simpl; field).
    destruct (IH (x / 4 + 1 / 2)) as (A1 & A2 & A3 & A4).
    destruct (IH (x / 4 + 1 / 4)) as (B1 & B2 & B3 & B4). fold q in A1, A2, A3, A4, B1, B2, B3, B4.
    rewrite !mean_epoch.
    repeat match goal with |- context [mean ?n (fun w => forward_word half_map (?a :: ?b :: w) x)] =>
      rewrite (mean_ext n (fun w => forward_word half_map (a :: b :: w) x)
        (fun w => forward_word half_map w (half_map b (half_map a x))))
        by (intros; rewrite !forward_word_cons; reflexivity) end.
    repeat match goal with |- context [mean ?n (fun w => forward_word half_map (?a :: ?b :: w) x ^ 2)] =>
      rewrite (mean_ext n (fun w => forward_word half_map (a :: b :: w) x ^ 2)
        (fun w => forward_word half_map w (half_map b (half_map a x)) ^ 2))
        by (intros; rewrite !forward_word_cons; reflexivity) end.
    rewrite E0, E1, A1, A2, A3, A4, B1, B2, B3, B4. repeat split; field.
Qed.

Lemma mean_affine : forall n c e F, mean n (fun _ => 1) = 1 ->
  mean n (fun w => c * F w + e) = c * mean n F + e.
Proof.
  intros n c e F H. unfold mean, expectation in *.
  rewrite (sum_words_ext _ n _ (fun w => c * (shuffled 2 [] w * F w) + e * (shuffled 2 [] w * 1)))
    by (intros; ring).
  rewrite sum_words_plus, !sum_words_scale, H. ring.
Qed.

Lemma mean_square_affine : forall n c e F, mean n (fun _ => 1) = 1 ->
  mean n (fun w => (c * F w + e) ^ 2) = c ^ 2 * mean n (fun w => F w ^ 2) + 2 * c * e * mean n F + e ^ 2.
Proof.
  intros n c e F H. unfold mean, expectation in *.
  rewrite (sum_words_ext _ n _ (fun w => c ^ 2 * (shuffled 2 [] w * F w ^ 2)
    + (2 * c * e * (shuffled 2 [] w * F w) + e ^ 2 * (shuffled 2 [] w * 1)))) by (intros; ring).
  rewrite !sum_words_plus, !sum_words_scale, H. ring.
Qed.

Lemma mean_constant : forall m, mean (2 * m) (fun _ => 1) = 1 /\ mean (S (2 * m)) (fun _ => 1) = 1.
Proof.
  induction m as [| m IH].
  - simpl. rewrite mean_zero, mean_one. split; lra.
  - replace (2 * S m)%nat with (S (S (2 * m))) by lia. rewrite !mean_epoch. lra.
Qed.

Lemma backward_moments : forall m x, let q := (1 / 4) ^ m in
  mean (2 * m) (fun w => backward_word half_map w x) = 1 / 2 + q * (x - 1 / 2) /\
  mean (2 * m) (fun w => backward_word half_map w x ^ 2)
    = 1 / 60 * (1 - q ^ 2) + (1 / 2 + q * (x - 1 / 2)) ^ 2 /\
  mean (S (2 * m)) (fun w => backward_word half_map w x) = 1 / 2 + q * (x - 1 / 2) / 2 /\
  mean (S (2 * m)) (fun w => backward_word half_map w x ^ 2)
    = 1 / 60 * (1 - q ^ 2) + q ^ 2 / 16 + (1 / 2 + q * (x - 1 / 2) / 2) ^ 2.
Proof.
  assert (Hq : forall m, (1 / 4) ^ S m = (1 / 4) ^ m / 4) by (intros; simpl; field).
  induction m as [| m IH]; intros x q.
  - unfold q. rewrite Nat.mul_0_r, !mean_zero, !mean_one.
    unfold backward_word, compose, half_map. simpl. repeat split; field.
  - replace (2 * S m)%nat with (S (S (2 * m))) by lia. unfold q. rewrite Hq. clear q.
    set (q := (1 / 4) ^ m) in *. destruct (IH x) as (A1 & A2 & A3 & A4). fold q in A1, A2, A3, A4.
    destruct (mean_constant m) as [C0 C1].
    assert (E0 : forall w, backward_word half_map (0 :: 1 :: w)%nat x = 1 / 4 * backward_word half_map w x + 1 / 4)
      by (intros; rewrite !backward_word_cons; unfold half_map; simpl; field).
    assert (E1 : forall w, backward_word half_map (1 :: 0 :: w)%nat x = 1 / 4 * backward_word half_map w x + 1 / 2)
      by (intros; rewrite !backward_word_cons; unfold half_map; simpl; field).
    assert (S0 : forall w, backward_word half_map (0 :: 1 :: w)%nat x ^ 2 = (1 / 4 * backward_word half_map w x + 1 / 4) ^ 2)
      by (intros; rewrite E0; reflexivity).
    assert (S1 : forall w, backward_word half_map (1 :: 0 :: w)%nat x ^ 2 = (1 / 4 * backward_word half_map w x + 1 / 2) ^ 2)
      by (intros; rewrite E1; reflexivity).
    rewrite !mean_epoch. rewrite !(mean_ext _ _ _ E0), !(mean_ext _ _ _ E1), !(mean_ext _ _ _ S0), !(mean_ext _ _ _ S1).
    rewrite !mean_affine, !mean_square_affine by assumption. rewrite A1, A2, A3, A4. repeat split; field.
Qed.

(** Row 40: fresh shuffles of x/2 and x/2 + 1/2 from any start. The forward variance is
    (1 - 16^{-m})/60 after m epochs and 1/15 - 16^{-m}/240 one step later, so it has no limit; the
    backward variance is (1 - 16^{-m})/60 and (1 - 16^{-m})/60 + 16^{-m}/16, with the limit 1/60. *)
Theorem shuffles_variances : forall x,
  let F n := variance n (fun w => forward_word half_map w x) in
  let B n := variance n (fun w => backward_word half_map w x) in
  (forall m, F (2 * m)%nat = 1 / 60 * (1 - (1 / 16) ^ m) /\
             F (S (2 * m)) = 1 / 15 - (1 / 16) ^ m / 240 /\
             B (2 * m)%nat = 1 / 60 * (1 - (1 / 16) ^ m) /\
             B (S (2 * m)) = 1 / 60 * (1 - (1 / 16) ^ m) + (1 / 16) ^ m / 16) /\
  Un_cv (fun m => F (2 * m)%nat) (1 / 60) /\ Un_cv (fun m => F (S (2 * m))) (1 / 15) /\
  Un_cv B (1 / 60).
Proof.
  intros x F B.
  assert (H : forall m, F (2 * m)%nat = 1 / 60 * (1 - (1 / 16) ^ m) /\
             F (S (2 * m)) = 1 / 15 - (1 / 16) ^ m / 240 /\
             B (2 * m)%nat = 1 / 60 * (1 - (1 / 16) ^ m) /\
             B (S (2 * m)) = 1 / 60 * (1 - (1 / 16) ^ m) + (1 / 16) ^ m / 16).
  { intros m. unfold F, B, variance.
    destruct (forward_moments m x) as (-> & -> & -> & ->).
    destruct (backward_moments m x) as (-> & -> & -> & ->).
    replace ((1 / 16) ^ m) with (((1 / 4) ^ m) ^ 2)
      by (rewrite <- pow_mult, Nat.mul_comm, pow_mult; f_equal; field).
    repeat split; field. }
  assert (Hg : forall c, Un_cv (fun m => c * (1 / 16) ^ m) 0) by (intros; apply geometric_vanishes; lra).
  split; [exact H |]. split; [| split].
  - intros e He. destruct (Hg (1 / 60) e He) as [N HN]. exists N. intros m Hm. specialize (HN m Hm).
    destruct (H m) as (-> & _). unfold R_dist in *.
    rewrite <- Rabs_Ropp. replace (- (1 / 60 * (1 - (1 / 16) ^ m) - 1 / 60)) with (1 / 60 * (1 / 16) ^ m - 0) by ring.
    exact HN.
  - intros e He. destruct (Hg (1 / 240) e He) as [N HN]. exists N. intros m Hm. specialize (HN m Hm).
    destruct (H m) as (_ & -> & _). unfold R_dist in *.
    rewrite <- Rabs_Ropp. replace (- (1 / 15 - (1 / 16) ^ m / 240 - 1 / 15)) with (1 / 240 * (1 / 16) ^ m - 0) by field.
    exact HN.
  - intros e He. destruct (Hg (1 / 16) e He) as [N HN]. exists (2 * N + 2)%nat. intros n Hn.
    destruct (Nat.Even_or_Odd n) as [[m Em] | [m Em]].
    + specialize (HN m ltac:(lia)). subst n. destruct (H m) as (_ & _ & -> & _). unfold R_dist in *.
      rewrite Rminus_0_r, Rabs_pos_eq in HN by (pose proof (pow_le (1 / 16) m); lra).
      replace (1 / 60 * (1 - (1 / 16) ^ m) - 1 / 60) with (- (1 / 60 * (1 / 16) ^ m)) by ring.
      pose proof (pow_le (1 / 16) m ltac:(lra)). rewrite Rabs_Ropp, Rabs_pos_eq by lra. lra.
    + specialize (HN m ltac:(lia)). replace n with (S (2 * m)) by lia.
      destruct (H m) as (_ & _ & _ & ->). unfold R_dist in *.
      rewrite Rminus_0_r, Rabs_pos_eq in HN by (pose proof (pow_le (1 / 16) m); lra).
      replace (1 / 60 * (1 - (1 / 16) ^ m) + (1 / 16) ^ m / 16 - 1 / 60) with (11 / 240 * (1 / 16) ^ m) by field.
      pose proof (pow_le (1 / 16) m ltac:(lra)). rewrite Rabs_pos_eq by lra. lra.
Qed.

(** ** A Markov chain that is not reversible *)

(** From every letter of 0, 1, 2 on to the next, from a uniform start. *)
Definition next_letter (a b : nat) : R := if (b =? S a mod 3)%nat then 1 else 0.

(** Row 39: letters from a stationary chain that is not in detailed balance are not reversible, from
    n = 2 on: 01 has the probability 1/3, and 10 has none. *)
Theorem cycle_of_three_not_reversible :
  let P := markov_weight (fun _ => 1 / 3) next_letter in
  P [0; 1]%nat = 1 / 3 /\ P [1; 0]%nat = 0 /\ ~ reversible (seq 0 3) P 2.
Proof.
  assert (E1 : markov_weight (fun _ => 1 / 3) next_letter [0; 1]%nat = 1 / 3)
    by (simpl; unfold next_letter; simpl; lra).
  assert (E2 : markov_weight (fun _ => 1 / 3) next_letter [1; 0]%nat = 0)
    by (simpl; unfold next_letter; simpl; lra).
  split; [exact E1 | split; [exact E2 |]]. intros H.
  specialize (H [0; 1]%nat). simpl rev in H. rewrite E1, E2 in H.
  enough (0 = 1 / 3) by lra. apply H. split; [reflexivity |].
  intros a Ha. simpl in *. lia.
Qed.
