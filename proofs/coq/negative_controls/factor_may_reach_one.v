(** Must fail: Theorem 2.2 (backward_contraction) with 0 <= k, without k < 1. *)
(** Counterexample: necessity.v:factor_below_one_needed *)
From Coq Require Import Reals Lra Lia.
From TrainingInReverse Require Import metric_spaces compositions backward_contraction.
Local Open Scope R_scope.

Theorem backward_contraction : forall {X : MetricSpace} (T : nat -> X -> X) (k D : R) (x0 : X),
  complete X -> 0 <= k (*- /\ k < 1 -*) -> uniformly_lipschitz k T -> displacement_le T x0 D ->
  exists limit : X, (forall x, converges (fun n => backward T n x) limit) /\
    (forall n, distance limit (backward T n x0) <= D / (1 - k) * k ^ n).
Proof.
  intros X T k D x0 HX Hk HT HD.
  assert (HT' : forall i x y, (1 <= i)%nat -> True -> True ->
    distance (T i x) (T i y) <= k * distance x y) by (intros; apply HT; auto).
  assert (Hrange : 0 <= k < 1) by lra.
  destruct (HX _ (backward_cauchy_on_set (fun _ => True) T k Hrange (fun _ _ _ _ => I) HT' x0 I D HD))
    as [limit Hl].
  exists limit. split.
  - intros. apply (same_limit_on_set (fun _ => True) T k Hrange) with (x0 := x0); auto.
  - intros. apply (rate_on_set (fun _ => True)); auto.
Qed.
