(** Finite families of maps: the pair of two backward iterates as two forward runs with the same maps
    (row 77), pairs at one step (rows 73, 75 and 80), and the chain of forward iterates (rows 33 and 34).
    mathcomp/coupled_runs.v has the pair for general random operators. *)

From Coq Require Import Reals Lra Lia List Arith Permutation.
From TrainingInReverse Require Import metric_spaces compositions equality_of_laws reshuffling.
Import ListNotations.
Local Open Scope R_scope.

Section Reversal.
  Context {L : Type} (alphabet : list L).

  (** Reversing the first n of n + k letters does not change their weight. *)
  Definition reversible_up_to (P : list L -> R) (n k : nat) : Prop :=
    forall u v, is_word alphabet n u -> is_word alphabet k v -> P (rev u ++ v) = P (u ++ v).

  (** Every functional of the letters then keeps its expectation. *)
  Theorem expectation_reversed_up_to : forall P n k (F : list L -> R), reversible_up_to P n k ->
    expectation alphabet P (n + k) (fun w => F (rev (firstn n w) ++ skipn n w)) = expectation alphabet P (n + k) F.
  Proof.
    intros P n k F HP. unfold expectation. rewrite !sum_words_app.
    rewrite <- (sum_words_rev alphabet n (fun u => sum_words alphabet k (fun v => P (u ++ v) * F (u ++ v)))).
    apply sum_words_ext. intros u Hu. apply sum_words_ext. intros v Hv.
    pose proof (proj1 Hu) as Hl.
    rewrite firstn_app, skipn_app, <- Hl, firstn_all, skipn_all, Nat.sub_diag. simpl.
    rewrite app_nil_r, (HP u v) by (rewrite ?Hl; assumption). reflexivity.
  Qed.

  (** Exchangeable words are reversible up to every n. *)
  Theorem exchangeable_reversible_up_to : forall P n k,
    (forall v w, Permutation v w -> P v = P w) -> reversible_up_to P n k.
  Proof.
    intros P n k HP u v _ _. apply HP. apply Permutation_app_tail, Permutation_sym, Permutation_rev.
  Qed.
End Reversal.

Section Pairs.
  Context {L X : Type} (alphabet : list L) (T : L -> X -> X).

  (** Row 77: (theta_n^B, theta_{n+k}^B) has the law of two forward runs of n steps with the same maps,
      from x and from T_{n+1} ... T_{n+k} x. *)
  Theorem backward_pair_as_forward_runs : forall P n k (phi : X -> X -> R) x,
    reversible_up_to alphabet P n k ->
    expectation alphabet P (n + k)
      (fun w => phi (backward_word T (firstn n w) x) (backward_word T w x))
    = expectation alphabet P (n + k)
      (fun w => phi (forward_word T (firstn n w) x)
                    (forward_word T (firstn n w) (backward_word T (skipn n w) x))).
  Proof.
    intros P n k phi x HP.
    rewrite <- (expectation_reversed_up_to alphabet P n k
      (fun w => phi (backward_word T (firstn n w) x) (backward_word T w x)) HP).
    unfold expectation. apply sum_words_ext. intros w [Hl _].
    assert (Hn : length (rev (firstn n w)) = n) by (rewrite rev_length, firstn_length; lia).
    do 2 f_equal.
    - unfold backward_word, forward_word. rewrite firstn_app, Hn, Nat.sub_diag. simpl.
      rewrite app_nil_r, firstn_all2 by lia. reflexivity.
    - unfold backward_word, forward_word. rewrite map_app, compose_app. reflexivity.
  Qed.

  (** Maps that know their position t: the innermost of a word has t = 1. With the letters of a word
      from the outermost in, and s positions inside of it, the first letter has t = s + length. *)
  Fixpoint positioned (S : nat -> L -> X -> X) (s : nat) (w : list L) (x : X) : X :=
    match w with
    | [] => x
    | a :: w' => S (s + length w)%nat a (positioned S s w' x)
    end.

  Lemma positioned_app : forall S u s v x,
    positioned S s (u ++ v) x = positioned S (s + length v) u (positioned S s v x).
  Proof.
    intros S u s v x. induction u as [| a u IH]; simpl; [reflexivity |].
    rewrite IH, app_length. f_equal. lia.
  Qed.

  (** Row 77 with positions: the first run uses t = 1 ... n, the second the same letters at
      t = k + 1 ... k + n, after the k later letters at t = 1 ... k. *)
  Theorem backward_pair_with_positions : forall (S : nat -> L -> X -> X) P n k (phi : X -> X -> R) x,
    reversible_up_to alphabet P n k ->
    expectation alphabet P (n + k)
      (fun w => phi (positioned S 0 (firstn n w) x) (positioned S 0 w x))
    = expectation alphabet P (n + k)
      (fun w => phi (positioned S 0 (rev (firstn n w)) x)
                    (positioned S k (rev (firstn n w)) (positioned S 0 (skipn n w) x))).
  Proof.
    intros S P n k phi x HP.
    rewrite <- (expectation_reversed_up_to alphabet P n k
      (fun w => phi (positioned S 0 (firstn n w) x) (positioned S 0 w x)) HP).
    unfold expectation. apply sum_words_ext. intros w [Hl _].
    assert (Hn : length (rev (firstn n w)) = n) by (rewrite rev_length, firstn_length; lia).
    assert (Hk : length (skipn n w) = k) by (rewrite skipn_length; lia).
    do 2 f_equal.
    - rewrite firstn_app, Hn, Nat.sub_diag. simpl. rewrite app_nil_r, firstn_all2 by lia. reflexivity.
    - rewrite positioned_app, Hk. reflexivity.
  Qed.

  (** Row 73: at one step the pair (forward, backward) is exchangeable, for reversible words ... *)
  Theorem iterates_exchangeable : forall P n (phi : X -> X -> R) x, reversible alphabet P n ->
    expectation alphabet P n (fun w => phi (forward_word T w x) (backward_word T w x))
    = expectation alphabet P n (fun w => phi (backward_word T w x) (forward_word T w x)).
  Proof.
    intros P n phi x HP. unfold expectation, forward_word, backward_word.
    rewrite <- (sum_words_rev alphabet n
      (fun w => P w * phi (compose (map T w) x) (compose (map T (rev w)) x))).
    apply sum_words_ext. intros w Hw. rewrite HP, rev_involutive by assumption. reflexivity.
  Qed.

  (** ... and row 75: together with the newest and the outermost letter they swap as well, so losses
      agree on the outermost batch, or on a fixed one. *)
  Theorem iterates_with_their_letters : forall P n (phi : X -> L -> L -> R) (l0 : L) x, reversible alphabet P n ->
    expectation alphabet P n (fun w => phi (forward_word T w x) (last w l0) (hd l0 w))
    = expectation alphabet P n (fun w => phi (backward_word T w x) (hd l0 w) (last w l0)).
  Proof.
    assert (Hh : forall (w : list L) l0, hd l0 (rev w) = last w l0).
    { intros w l0. induction w as [| a w _] using rev_ind; [reflexivity |].
      rewrite rev_app_distr, last_last. reflexivity. }
    intros P n phi l0 x HP. unfold expectation, forward_word, backward_word.
    rewrite <- (sum_words_rev alphabet n (fun w => P w * phi (compose (map T w) x) (hd l0 w) (last w l0))).
    apply sum_words_ext. intros w Hw. rewrite HP, Hh by assumption.
    rewrite <- (Hh (rev w)), rev_involutive. reflexivity.
  Qed.

  (** Row 80: two settings with the same letters, ranked by a function of both iterates: one expectation
      in both orders. *)
  Theorem two_settings_ranked_alike : forall {Y : Type} (S : L -> Y -> Y) P n (phi : X -> Y -> R) x y,
    reversible alphabet P n ->
    expectation alphabet P n (fun w => phi (forward_word T w x) (forward_word S w y))
    = expectation alphabet P n (fun w => phi (backward_word T w x) (backward_word S w y)).
  Proof.
    intros Y S P n phi x y HP.
    pose proof (equal_laws_if_reversible alphabet (fun a z => (T a (fst z), S a (snd z))) P n
      (fun z => phi (fst z) (snd z)) (x, y) HP) as H.
    assert (E : forall w, compose (map (fun a z => (T a (fst z), S a (snd z))) w) (x, y)
                          = (compose (map T w) x, compose (map S w) y)).
    { induction w as [| a w IH]; [reflexivity |]. simpl. rewrite IH. reflexivity. }
    unfold expectation, forward_word, backward_word in *.
    rewrite (sum_words_ext alphabet n _ (fun w => P w * phi (compose (map T (rev w)) x) (compose (map S (rev w)) y))) in H
      by (intros; rewrite E; reflexivity).
    rewrite H. apply sum_words_ext. intros w _. rewrite E. reflexivity.
  Qed.

  (** (P phi)(x) = sum_a p_a phi(T_a x). *)
  Definition kernel (p : L -> R) (phi : X -> R) (x : X) : R := sum_letters alphabet (fun a => p a * phi (T a x)).

  (** Row 33: E phi(T_n ... T_1 x) = (P^n phi)(x): the law of a forward iterate is delta_x P^n. *)
  Theorem law_of_forward_iterates : forall p n (phi : X -> R) x,
    expectation alphabet (product_weight p) n (fun w => phi (forward_word T w x)) = Nat.iter n (kernel p) phi x.
  Proof.
    intros p n. induction n; intros phi x; [unfold expectation, forward_word; simpl; ring |].
    unfold expectation. cbn [sum_words]. simpl Nat.iter. unfold kernel at 1. apply sum_letters_ext. intros a _.
    rewrite <- IHn. unfold expectation. rewrite <- sum_words_scale. apply sum_words_ext. intros w _.
    unfold forward_word. simpl. rewrite map_app, compose_app. simpl. ring.
  Qed.

  (** Row 34: given the first n letters, and so the whole past, the next iterate has the law P(theta_n, .),
      the same kernel for every n. *)
  Theorem forward_chain_markov : forall p n (past : list L -> R) (phi : X -> R) x,
    expectation alphabet (product_weight p) (n + 1)
      (fun w => past (firstn n w) * phi (forward_word T w x))
    = expectation alphabet (product_weight p) n (fun w => past w * kernel p phi (forward_word T w x)).
  Proof.
    intros p n past phi x. unfold expectation. rewrite sum_words_app. apply sum_words_ext. intros u [Hl _].
    cbn [sum_words]. unfold kernel. rewrite <- !sum_letters_scale. apply sum_letters_ext. intros a _.
    rewrite product_weight_app, <- Hl, firstn_app, firstn_all, Nat.sub_diag. simpl. rewrite app_nil_r.
    unfold forward_word. rewrite rev_app_distr. simpl. ring.
  Qed.
End Pairs.

(** ** Fresh shuffles *)

Lemma possible_permuted : forall N v used used', Permutation used used' -> possible N used v = possible N used' v.
Proof.
  induction v as [| a v IH]; intros used used' Hp; [reflexivity |]. cbn [possible].
  assert (Hs : seen a used = seen a used').
  { destruct (seen a used) eqn:E1, (seen a used') eqn:E2; try reflexivity; exfalso.
    - apply seen_In in E1. apply (Permutation_in a Hp), seen_In in E1. congruence.
    - apply seen_In in E2. apply (Permutation_in a (Permutation_sym Hp)), seen_In in E2. congruence. }
  rewrite Hs. f_equal. apply IH. unfold after. rewrite (Permutation_length Hp).
  destruct (S (length used') =? N)%nat; [constructor | constructor; exact Hp].
Qed.

(** Row 77, its scope: with fresh shuffles of N the first n letters may be reversed, whatever follows, if
    and only if n <= N or N divides n. *)
Theorem shuffles_reversible_up_to_iff : forall N n, (0 < N)%nat ->
  ((forall k, reversible_up_to (seq 0 N) (shuffled N []) n k) <-> (n <= N)%nat \/ (exists q, n = q * N)%nat).
Proof.
  intros N n HN. split.
  - intros H. apply (shuffles_reversible_iff N n HN). intros w Hw.
    specialize (H 0%nat w [] Hw (conj eq_refl (fun a Ha => False_ind _ Ha))).
    rewrite !app_nil_r in H. exact H.
  - intros Hn k u v [Hu _] _. rewrite !shuffled_uniform, !app_length, rev_length.
    enough (E : possible N [] (rev u ++ v) = possible N [] (u ++ v)) by (rewrite E; reflexivity).
    destruct Hn as [Hn | [q Hq]].
    + assert (Hnd : NoDup (rev u) <-> NoDup u).
      { split; intros H; [rewrite <- (rev_involutive u) |]; apply NoDup_rev; exact H. }
      destruct (Nat.eq_dec (length u) N) as [E | E].
      * pose proof (possible_epoch N u v HN E) as H1.
        pose proof (possible_epoch N (rev u) v HN ltac:(rewrite rev_length; exact E)) as H2.
        destruct (possible N [] (rev u ++ v)), (possible N [] (u ++ v)); try reflexivity; exfalso; intuition congruence.
      * pose proof (possible_inside N u v [] ltac:(simpl; lia) (NoDup_nil _)) as H1.
        pose proof (possible_inside N (rev u) v [] ltac:(rewrite rev_length; simpl; lia) (NoDup_nil _)) as H2.
        rewrite rev_involutive, !app_nil_r in H2. rewrite !app_nil_r in H1.
        rewrite (possible_permuted N v (rev u) u (Permutation_sym (Permutation_rev u))) in H1.
        destruct (possible N [] (rev u ++ v)), (possible N [] (u ++ v)); try reflexivity; exfalso; intuition congruence.
    + pose proof (possible_epochs N q u v HN ltac:(lia)) as H1.
      pose proof (possible_epochs N q (rev u) v HN ltac:(rewrite rev_length; lia)) as H2.
      assert (Hr : possible N [] (rev u) = true <-> possible N [] u = true).
      { split; intros H; [rewrite <- (rev_involutive u) |]; apply (possible_rev_epochs N q); try exact HN; try exact H;
          try rewrite rev_length; lia. }
      destruct (possible N [] (rev u ++ v)), (possible N [] (u ++ v)); try reflexivity; exfalso; intuition congruence.
Qed.

(** ** The next map is not an independent copy *)

(** x/2 + 1 and 0. *)
Definition half_or_zero (a : nat) (x : R) : R := match a with O => x / 2 + 1 | _ => 0 end.

(** Row 77: drawn without replacement, the increment |T_1 0 - T_1 T_2 0| is always 0; with independent
    draws in place of these it is 1/2 with probability 1/4. *)
Theorem next_map_is_not_an_independent_copy :
  let increment w := Rabs (backward_word half_or_zero (firstn 1 w) 0 - backward_word half_or_zero w 0) in
  expectation (seq 0 2) (shuffled 2 []) 2 increment = 0 /\
  (forall w, In w [[0; 1]; [1; 0]]%nat -> increment w = 0) /\
  increment [0; 0]%nat = 1 / 2 /\
  expectation (seq 0 2) (product_weight (fun _ => 1 / 2)) 2 increment = 1 / 8.
Proof.
  intros increment.
  assert (E00 : increment [0; 0]%nat = 1 / 2)
    by (unfold increment, backward_word; simpl; rewrite Rabs_left; lra).
  assert (E01 : increment [0; 1]%nat = 0)
    by (unfold increment, backward_word; simpl; rewrite Rabs_pos_eq; lra).
  assert (E10 : increment [1; 0]%nat = 0)
    by (unfold increment, backward_word; simpl; rewrite Rabs_pos_eq; lra).
  assert (E11 : increment [1; 1]%nat = 0)
    by (unfold increment, backward_word; simpl; rewrite Rabs_pos_eq; lra).
  repeat split.
  - unfold expectation. cbn [seq sum_words sum_letters]. rewrite E00, E01, E10, E11. simpl. lra.
  - intros w [<- | [<- | []]]; assumption.
  - exact E00.
  - unfold expectation. cbn [seq sum_words sum_letters]. rewrite E00, E01, E10, E11. simpl. lra.
Qed.
