(** Must fail: Theorem 2.6 for finite families (equal_laws_if_reversible) without reversibility. *)
(** Counterexample: law_counterexamples.v:cyclic_order_breaks_equality *)
From Coq Require Import Reals Lra Lia List.
From TrainingInReverse Require Import compositions equality_of_laws.
Local Open Scope R_scope.

Theorem equal_laws : forall {L X : Type} (alphabet : list L) (T : L -> X -> X) P n (phi : X -> R) x,
  (*- reversible alphabet P n -> -*)
  expectation alphabet P n (fun w => phi (forward_word T w x))
  = expectation alphabet P n (fun w => phi (backward_word T w x)).
Proof.
  intros L X alphabet T P n phi x. intros. unfold expectation, forward_word, backward_word.
  rewrite <- (sum_words_rev alphabet n (fun w => P w * phi (compose (map T w) x))).
  apply sum_words_ext. intros w Hw.
  assert (HP : P (rev w) = P w) by auto. rewrite HP. reflexivity.
Qed.
