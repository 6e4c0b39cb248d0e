(** Words of maps, and the forward and backward iterates.

    A word is written as the paper writes compositions: the leftmost map is the
    outermost one, applied last.  Maps are numbered from 1; T 0 is never used. *)

From Coq Require Import Reals Lra Lia List.
Import ListNotations.
Local Open Scope R_scope.

(** compose [f1; ...; fn] x = f1 (... (fn x)). *)
Definition compose {A : Type} (w : list (A -> A)) (x : A) : A :=
  fold_right (fun f y => f y) x w.

(** segment T a n x = T_{a+1} ... T_{a+n} x. *)
Fixpoint segment {A : Type} (T : nat -> A -> A) (a n : nat) (x : A) : A :=
  match n with
  | O => x
  | S n' => T (S a) (segment T (S a) n' x)
  end.

(** Backward iterate n: T_1 T_2 ... T_n x. *)
Definition backward {A : Type} (T : nat -> A -> A) (n : nat) (x : A) : A := segment T 0 n x.

(** Forward iterate n: T_n ... T_2 T_1 x. *)
Fixpoint forward {A : Type} (T : nat -> A -> A) (n : nat) (x : A) : A :=
  match n with
  | O => x
  | S n' => T (S n') (forward T n' x)
  end.

Section Words.
  Context {A : Type}.
  Implicit Types (T : nat -> A -> A) (v w : list (A -> A)).

  Lemma compose_app : forall v w x, compose (v ++ w) x = compose v (compose w x).
  Proof. intros. unfold compose. apply fold_right_app. Qed.

  (** T_{a+1} ... T_{a+n+m} = (T_{a+1} ... T_{a+n}) (T_{a+n+1} ... T_{a+n+m}). *)
  Lemma segment_add : forall T n m a x,
    segment T a (n + m) x = segment T a n (segment T (a + n) m x).
  Proof.
    induction n; intros; simpl.
    - rewrite Nat.add_0_r. reflexivity.
    - rewrite IHn. replace (S a + n)%nat with (a + S n)%nat by lia. reflexivity.
  Qed.

  Lemma segment_last : forall T n a x, segment T a (S n) x = segment T a n (T (S (a + n)) x).
  Proof. intros. replace (S n) with (n + 1)%nat by lia. rewrite segment_add. reflexivity. Qed.

  Lemma segment_shift : forall T n a x,
    segment T a n x = backward (fun i => T (a + i)%nat) n x.
  Proof.
    unfold backward. assert (H : forall T n a b x,
      segment T (a + b) n x = segment (fun i => T (a + i)%nat) b n x).
    { induction n; intros; simpl; auto.
      replace (S (a + b)) with (a + S b)%nat by lia. rewrite IHn. reflexivity. }
    intros. rewrite <- H, Nat.add_0_r. reflexivity.
  Qed.

  (** The next backward iterate adds a map inside: theta_{n+1} = (T_1 ... T_n) (T_{n+1} x). *)
  Lemma backward_succ : forall T n x, backward T (S n) x = backward T n (T (S n) x).
  Proof. intros. apply segment_last. Qed.

  Lemma backward_compose : forall T n x, backward T n x = compose (map T (seq 1 n)) x.
  Proof.
    unfold backward, compose. intros T n. generalize 0%nat.
    induction n; intros; simpl; auto. rewrite IHn. reflexivity.
  Qed.

  Lemma forward_compose : forall T n x, forward T n x = compose (rev (map T (seq 1 n))) x.
  Proof.
    induction n; intros; [reflexivity |].
    rewrite seq_S, map_app, rev_app_distr. simpl. rewrite IHn. reflexivity.
  Qed.

  (** With one map, both orders are the powers of the map. *)
  Lemma backward_one_map : forall (f : A -> A) n x, backward (fun _ => f) n x = Nat.iter n f x.
  Proof.
    unfold backward. intros f n. generalize 0%nat. induction n; intros; simpl; auto.
    rewrite IHn. reflexivity.
  Qed.

  Lemma forward_one_map : forall (f : A -> A) n x, forward (fun _ => f) n x = Nat.iter n f x.
  Proof. induction n; intros; simpl; auto. rewrite IHn. reflexivity. Qed.
End Words.

(** Rsum n f = f 0 + ... + f (n-1). *)
Fixpoint Rsum (n : nat) (f : nat -> R) : R :=
  match n with
  | O => 0
  | S n' => Rsum n' f + f n'
  end.

Section Sums.
  Implicit Types (f g : nat -> R).

  Lemma Rsum_S : forall n f, Rsum (S n) f = Rsum n f + f n.
  Proof. reflexivity. Qed.

  Lemma Rsum_ext : forall n f g, (forall i, (i < n)%nat -> f i = g i) -> Rsum n f = Rsum n g.
  Proof.
    induction n; intros; simpl; auto. rewrite H by lia. rewrite (IHn f g); auto.
  Qed.

  Lemma Rsum_plus : forall n f g, Rsum n (fun i => f i + g i) = Rsum n f + Rsum n g.
  Proof. induction n; intros; simpl; [lra | rewrite IHn; lra]. Qed.

  Lemma Rsum_minus : forall n f g, Rsum n (fun i => f i - g i) = Rsum n f - Rsum n g.
  Proof. induction n; intros; simpl; [lra | rewrite IHn; lra]. Qed.

  Lemma Rsum_scale : forall n c f, Rsum n (fun i => c * f i) = c * Rsum n f.
  Proof. induction n; intros; simpl; [lra | rewrite IHn; lra]. Qed.

  Lemma Rsum_const : forall n c, Rsum n (fun _ => c) = INR n * c.
  Proof. induction n; intros; [simpl; lra | rewrite S_INR; simpl; rewrite IHn; lra]. Qed.

  Lemma Rsum_le : forall n f g, (forall i, (i < n)%nat -> f i <= g i) -> Rsum n f <= Rsum n g.
  Proof.
    induction n; intros; simpl; [lra |].
    pose proof (H n ltac:(lia)). pose proof (IHn f g (fun i Hi => H i ltac:(lia))). lra.
  Qed.

  Lemma Rsum_nonneg : forall n f, (forall i, (i < n)%nat -> 0 <= f i) -> 0 <= Rsum n f.
  Proof.
    intros. rewrite <- (Rmult_0_r (INR n)), <- Rsum_const. apply Rsum_le. auto.
  Qed.

  Lemma Rsum_first : forall n f, Rsum (S n) f = f 0%nat + Rsum n (fun i => f (S i)).
  Proof.
    induction n; intros; simpl; [lra |]. rewrite <- Rplus_assoc, <- IHn. reflexivity.
  Qed.

  Lemma Rsum_add : forall n m f, Rsum (n + m) f = Rsum n f + Rsum m (fun i => f (n + i)%nat).
  Proof.
    induction m; intros; simpl.
    - rewrite Nat.add_0_r. lra.
    - rewrite <- plus_n_Sm. simpl. rewrite IHm. lra.
  Qed.

  (** 1 + k + ... + k^{n-1} = (1 - k^n) / (1 - k). *)
  Lemma geometric_sum : forall n k, k <> 1 -> Rsum n (fun i => k ^ i) = (1 - k ^ n) / (1 - k).
  Proof.
    induction n; intros k Hk; simpl.
    - field. lra.
    - rewrite IHn by auto. field. lra.
  Qed.

  Lemma geometric_sum_le : forall n k, 0 <= k < 1 -> (1 - k ^ n) / (1 - k) <= / (1 - k).
  Proof.
    intros n k Hk. pose proof (pow_le k n ltac:(lra)).
    unfold Rdiv. rewrite <- (Rmult_1_l (/ (1 - k))) at 2.
    apply Rmult_le_compat_r; [| lra]. apply Rlt_le, Rinv_0_lt_compat. lra.
  Qed.
End Sums.
