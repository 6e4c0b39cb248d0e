(** Must fail: the necessity half of Example 2.4 (forward_converges_iff_eventually_one_map) without
    x0 <> y0: with equal values forward converges whatever is drawn. *)
(** Counterexample: constant_maps.v:equal_constants_converge *)
From Coq Require Import Reals Lra Lia.
From TrainingInReverse Require Import metric_spaces compositions backward_contraction constant_maps.
Local Open Scope R_scope.

Theorem forward_diverges : forall {X : MetricSpace} (S U : X) (draw : nat -> bool),
  (*- S <> U -> -*)
  (forall N b, exists n, (N <= n)%nat /\ draw n = b) ->
  forall x, ~ exists l, converges (fun n => forward (constant_maps S U draw) n x) l.
Proof. intros X S U draw. intros. apply forward_diverges_if_both_recur; assumption. Qed.
