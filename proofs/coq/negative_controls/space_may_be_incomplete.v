(** Must fail: Theorem 2.2, convergence alone, without completeness. *)
(** Counterexample: necessity.v:completeness_needed *)
From Coq Require Import Reals Lra Lia.
From TrainingInReverse Require Import metric_spaces compositions backward_contraction.
Local Open Scope R_scope.

Theorem backward_converges : forall {X : MetricSpace} (T : nat -> X -> X) (k D : R) (x0 : X),
  (*- complete X -> -*) 0 <= k < 1 -> uniformly_lipschitz k T -> displacement_le T x0 D ->
  exists limit : X, forall x, converges (fun n => backward T n x) limit.
Proof.
  intros X T k D x0. intros.
  destruct (backward_contraction T k D x0) as (limit & Hl & _); [assumption .. |].
  exists limit. exact Hl.
Qed.
