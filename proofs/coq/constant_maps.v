(** Example 2.4: constant maps. Backward is constant from n = 1 on; forward jumps for ever
    unless one map is eventually always drawn. *)

From Coq Require Import Reals Lra Lia.
From TrainingInReverse Require Import metric_spaces compositions backward_contraction.
Local Open Scope R_scope.

Section ConstantMaps.
  Context {X : MetricSpace} (S U : X) (draw : nat -> bool).

  (** T_i is the constant map S or the constant map U, as drawn. *)
  Definition value (b : bool) : X := if b then S else U.
  Definition constant_maps (i : nat) (_ : X) : X := value (draw i).

  (** They are contractions with k = 0. *)
  Lemma constant_maps_contract : uniformly_lipschitz 0 constant_maps.
  Proof. intros i _ x y. unfold constant_maps. rewrite distance_refl. lra. Qed.

  (** Example 2.4: T_1...T_n x = T_1's value for every n >= 1 and every x. *)
  Theorem backward_constant : forall n x, (1 <= n)%nat -> backward constant_maps n x = value (draw 1).
  Proof. intros [| n] x H; [lia | reflexivity]. Qed.

  (** Example 2.4: T_n...T_1 x = T_n's value. *)
  Theorem forward_last_drawn : forall n x, (1 <= n)%nat -> forward constant_maps n x = value (draw n).
  Proof. intros [| n] x H; [lia | reflexivity]. Qed.

  (** Example 2.4: backward converges, to T_1's value. *)
  Theorem backward_of_constant_maps_converges : forall x,
    converges (fun n => backward constant_maps n x) (value (draw 1)).
  Proof.
    intros x eps He. exists 1%nat. intros n Hn. rewrite backward_constant by assumption.
    rewrite distance_refl. assumption.
  Qed.

  (** Row 27: if S <> U, forward converges if and only if eventually one map is always drawn. *)
  Theorem forward_converges_iff_eventually_one_map : S <> U -> forall x,
    (exists l, converges (fun n => forward constant_maps n x) l) <->
    (exists N b, forall n, (N <= n)%nat -> draw n = b).
  Proof.
    intros HSU x. split.
    - intros [l Hl].
      assert (Hpos : 0 < distance S U).
      { pose proof (distance_nonneg S U).
        destruct (Req_dec (distance S U) 0) as [E | E]; [| lra].
        apply distance_separates in E. contradiction. }
      destruct (convergent_is_cauchy _ _ Hl _ Hpos) as [N HN].
      exists (max N 1), (draw (max N 1)). intros n Hn.
      specialize (HN n (max N 1) ltac:(lia) ltac:(lia)).
      rewrite !forward_last_drawn in HN by lia.
      destruct (draw n), (draw (max N 1)); try reflexivity; simpl in HN; exfalso;
        [| rewrite distance_sym in HN]; lra.
    - intros (N & b & H). exists (value b). intros eps He. exists (max N 1). intros n Hn.
      rewrite forward_last_drawn, H by lia. rewrite distance_refl. assumption.
  Qed.

  (** Example 2.4: if both maps are drawn for ever, forward does not converge. *)
  Corollary forward_diverges_if_both_recur : S <> U ->
    (forall N b, exists n, (N <= n)%nat /\ draw n = b) ->
    forall x, ~ exists l, converges (fun n => forward constant_maps n x) l.
  Proof.
    intros HSU Hrec x Hl.
    apply (forward_converges_iff_eventually_one_map HSU) in Hl. destruct Hl as (N & b & Hb).
    destruct (Hrec N (negb b)) as (n & Hn & E). rewrite (Hb n Hn) in E. destruct b; discriminate.
  Qed.
End ConstantMaps.

(** With equal values the forward iterates converge whatever is drawn, so S <> U is needed above. *)
Theorem equal_constants_converge : forall {X : MetricSpace} (S : X) (draw : nat -> bool) x,
  converges (fun n => forward (constant_maps S S draw) n x) S.
Proof.
  intros X S draw x eps He. exists 1%nat. intros n Hn. rewrite forward_last_drawn by assumption.
  unfold value. destruct (draw n); rewrite distance_refl; exact He.
Qed.
