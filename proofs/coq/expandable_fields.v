(** Which vector fields Lemma C.1 and Theorem C.2 apply to: those with a Lipschitz derivative on a
    ball (C^{1,1}), in any inner-product space, in R^d by coordinates, and C^2 functions of one
    variable; C^1 alone is not enough. *)

From Coq Require Import Reals Lra Lia.
From Coq Require Fin.
From TrainingInReverse Require Import metric_spaces compositions inner_product_spaces
  sharp_gradient_step composition_expansion.
Local Open Scope R_scope.
Local Open Scope vec_scope.

(** Row 56: V has the derivative DV x along every line at every x of the ball, bounded by L there,
    and DV is M-Lipschitz from the centre: this is C^{1,1}. *)
Definition lipschitz_derivative_on_ball {E : InnerProductSpace} (theta : E) (G L M radius : R)
  (V : E -> E) (DV : E -> E -> E) : Prop :=
  (forall x y, DV theta (x +v y) = DV theta x +v DV theta y) /\
  (forall a x, DV theta (a *v x) = a *v DV theta x) /\
  (forall w, ‖DV theta w‖ <= L * ‖w‖) /\
  (forall x, ‖x -v theta‖ <= radius ->
     ‖V x‖ <= G /\
     (forall u w, derivable_pt_lim (fun t => ⟨V (x +v t *v w), u⟩) 0 ⟨DV x w, u⟩) /\
     (forall w, ‖DV x w‖ <= L * ‖w‖) /\
     (forall w, ‖DV x w -v DV theta w‖ <= M * ‖x -v theta‖ * ‖w‖)).

Theorem lipschitz_derivative_expandable : forall {E : InnerProductSpace} (theta : E) G L M radius V DV,
  0 <= L -> 0 <= M -> lipschitz_derivative_on_ball theta G L M radius V DV ->
  expandable theta G L M radius V (DV theta).
Proof.
  intros E theta G L M radius V DV HL HM (Hadd & Hscale & HDL & Hball).
  split; [exact Hadd | split; [exact Hscale | split; [exact HDL |]]].
  intros x Hx. destruct (Hball x Hx) as (HG & _). split; [exact HG |].
  set (w := x -v theta) in *. pose proof (norm_nonneg w) as Hw.
  assert (Ex : x = theta +v 1 *v w) by (unfold w; vec).
  assert (E0 : theta = theta +v 0 *v w) by vec.
  (* on the segment from theta to x *)
  assert (Hseg : forall t, 0 <= t <= 1 -> ‖theta +v t *v w -v theta‖ = t * ‖w‖).
  { intros t Ht. replace (theta +v t *v w -v theta) with (t *v w) by vec.
    rewrite norm_scale, Rabs_pos_eq by lra. reflexivity. }
  assert (Hin : forall t, 0 <= t <= 1 -> ‖theta +v t *v w -v theta‖ <= radius).
  { intros t Ht. rewrite Hseg by assumption. nra. }
  assert (Hder : forall u t, 0 <= t <= 1 ->
    derivable_pt_lim (fun t => ⟨V (theta +v t *v w), u⟩) t ⟨DV (theta +v t *v w) w, u⟩).
  { intros u t Ht eps He.
    destruct (Hball _ (Hin t Ht)) as (_ & Hd & _). destruct (Hd u w eps He) as [delta HD].
    exists delta. intros e Hn Hlt. specialize (HD e Hn Hlt).
    replace (theta +v (t + e) *v w) with (theta +v t *v w +v (0 + e) *v w) by vec.
    replace (theta +v t *v w +v 0 *v w) with (theta +v t *v w) in HD by vec. exact HD. }
  split.
  - apply norm_le_of_inner; [apply Rmult_le_pos; assumption |]. intros u.
    pose proof (growth_bound (fun t => ⟨V (theta +v t *v w), u⟩)
      (fun t => ⟨DV (theta +v t *v w) w, u⟩) (L * ‖w‖ * ‖u‖) 0 (Hder u)) as H.
    cbv beta in H. rewrite <- Ex, <- E0 in H. rewrite inner_sub_l.
    enough (⟨V x, u⟩ - ⟨V theta, u⟩ <= L * ‖w‖ * ‖u‖ + 0 / 2) by lra. apply H. intros t Ht.
    destruct (Hball _ (Hin t ltac:(lra))) as (_ & _ & Hb & _).
    eapply Rle_trans; [apply cauchy_schwarz |]. pose proof (norm_nonneg u). specialize (Hb w). nra.
  - apply norm_le_of_inner; [apply Rmult_le_pos; nra |]. intros u.
    pose proof (growth_bound (fun t => ⟨V (theta +v t *v w), u⟩)
      (fun t => ⟨DV (theta +v t *v w) w, u⟩) ⟨DV theta w, u⟩ (M * (‖w‖ * ‖w‖) * ‖u‖) (Hder u)) as H.
    cbv beta in H. rewrite <- Ex, <- E0 in H. rewrite !inner_sub_l.
    enough (⟨V x, u⟩ - ⟨V theta, u⟩ <= ⟨DV theta w, u⟩ + M * (‖w‖ * ‖w‖) * ‖u‖ / 2) by lra.
    apply H. intros t Ht.
    destruct (Hball _ (Hin t ltac:(lra))) as (_ & _ & _ & Hb).
    specialize (Hb w). rewrite Hseg in Hb by lra.
    pose proof (cauchy_schwarz (DV (theta +v t *v w) w -v DV theta w) u) as Hcs.
    rewrite inner_sub_l in Hcs. pose proof (norm_nonneg u). nra.
Qed.

(** C^2 functions of one variable: |V| <= G, |V'| <= L, |V''| <= M on the interval. *)
Theorem twice_differentiable_expandable : forall (theta G L M radius : R) (V V1 V2 : R -> R),
  0 <= radius -> 0 <= L -> 0 <= M ->
  (forall x, derivable_pt_lim V x (V1 x)) -> (forall x, derivable_pt_lim V1 x (V2 x)) ->
  (forall x, Rabs (x - theta) <= radius -> Rabs (V x) <= G /\ Rabs (V1 x) <= L /\ Rabs (V2 x) <= M) ->
  expandable (E := line) theta G L M radius V (fun w => V1 theta * w).
Proof.
  intros theta G L M radius V V1 V2 Hr HL HM HV HV1 Hb.
  assert (Hnorm : forall x : line, ‖x‖ = Rabs x).
  { intros x. unfold norm. simpl. apply sqrt_Rsqr_abs. }
  assert (Hnsub : forall x y : line, ‖x -v y‖ = Rabs (x - y)).
  { intros x y. rewrite Hnorm. f_equal. unfold sub. simpl. ring. }
  apply (lipschitz_derivative_expandable (E := line) theta G L M radius V (fun x w => V1 x * w) HL HM).
  split; [| split; [| split]]; cbv beta.
  - intros. simpl. ring.
  - intros. simpl. ring.
  - intros w. rewrite !Hnorm, Rabs_mult.
    destruct (Hb theta) as (_ & H & _); [rewrite Rminus_diag_eq, Rabs_R0 by reflexivity; exact Hr |].
    apply Rmult_le_compat_r; [apply Rabs_pos | exact H].
  - intros x Hx. rewrite Hnsub in Hx. destruct (Hb x Hx) as (H0 & H1 & _).
    split; [rewrite Hnorm; exact H0 |]. split; [| split].
    + intros u w.
      change (derivable_pt_lim (fun t => V (x + t * w) * u) 0 (V1 x * w * u)).
      replace (V1 x * w * u) with ((V1 x * w) * u + V (x + 0 * w) * 0) by ring.
      apply (derivable_pt_lim_mult (fun t => V (x + t * w)) (fun _ => u));
        [| apply derivable_pt_lim_const].
      apply (derivable_pt_lim_comp (fun t => x + t * w) V 0 w (V1 x)).
      * intros e He. exists (mkposreal 1 Rlt_0_1). intros t Ht _.
        replace ((x + (0 + t) * w - (x + 0 * w)) / t - w) with 0 by (field; exact Ht).
        rewrite Rabs_R0. lra.
      * cbv beta. rewrite Rmult_0_l, Rplus_0_r. apply HV.
    + intros w. rewrite !Hnorm, Rabs_mult. apply Rmult_le_compat_r; [apply Rabs_pos | exact H1].
    + intros w. rewrite !Hnsub, Hnorm.
      replace (V1 x * w - V1 theta * w) with ((V1 x - V1 theta) * w) by ring. rewrite Rabs_mult.
      apply Rmult_le_compat_r; [apply Rabs_pos |].
      (* V' grows by at most M |x - theta| along the segment, upwards and downwards *)
      assert (Hgrow : forall s, s = 1 \/ s = -1 ->
                s * (V1 x - V1 theta) <= M * Rabs (x - theta)).
      { intros s Hs.
        pose proof (growth_bound (fun t => s * V1 (theta + t * (x - theta)))
          (fun t => s * (V2 (theta + t * (x - theta)) * (x - theta))) (M * Rabs (x - theta)) 0) as H.
        cbv beta in H. replace (theta + 1 * (x - theta)) with (x : R) in H by (simpl in x; ring).
        replace (theta + 0 * (x - theta)) with theta in H by ring.
        enough (s * V1 x - s * V1 theta <= M * Rabs (x - theta) + 0 / 2) by lra. apply H; clear H.
        - intros t _. apply (derivable_pt_lim_scal (fun t => V1 (theta + t * (x - theta)))).
          apply (derivable_pt_lim_comp (fun t => theta + t * (x - theta)) V1 t (x - theta)).
          + intros e He. exists (mkposreal 1 Rlt_0_1). intros r Hr' _.
            replace ((theta + (t + r) * (x - theta) - (theta + t * (x - theta))) / r - (x - theta))
              with 0 by (field; exact Hr').
            rewrite Rabs_R0. lra.
          + apply HV1.
        - intros t Ht. destruct (Hb (theta + t * (x - theta))) as (_ & _ & H2).
          { replace (theta + t * (x - theta) - theta) with (t * (x - theta)) by ring.
            rewrite Rabs_mult, (Rabs_pos_eq t) by lra. pose proof (Rabs_pos (x - theta)). nra. }
          eapply Rle_trans; [apply Rle_abs |].
          rewrite !Rabs_mult. replace (Rabs s) with 1.
          2: { destruct Hs as [-> | ->]; [rewrite Rabs_R1 | rewrite Rabs_left by lra]; lra. }
          pose proof (Rabs_pos (x - theta)). nra. }
      pose proof (Hgrow 1 (or_introl eq_refl)). pose proof (Hgrow (-1) (or_intror eq_refl)).
      apply Rabs_le. lra.
Qed.

(** Lemma C.1 and Theorem C.2 for C^2 functions of one variable. *)
Theorem composition_expansion_on_line :
  forall (theta G L M h : R) (V V1 V2 : nat -> R -> R) n, 0 <= h -> 0 <= G -> 0 <= L -> 0 <= M ->
  (forall i x, derivable_pt_lim (V i) x (V1 i x)) -> (forall i x, derivable_pt_lim (V1 i) x (V2 i x)) ->
  (forall i x, Rabs (x - theta) <= INR n * (h * G) ->
     Rabs (V i x) <= G /\ Rabs (V1 i x) <= L /\ Rabs (V2 i x) <= M) ->
  let T := fun i => euler_step (E := line) h (V i) in
  Rabs (backward T n theta
        - (theta + h * vsum (E := line) n (fun l => V (S l) theta)
           + h * h * pair_sum (E := line) n (fun u v => V1 (S u) theta * V (S v) theta)))
    <= h * h * h * remainder_constant G L M n /\
  Rabs (backward T n theta - forward T n theta
        - h * h * pair_sum (E := line) n (fun i j => V1 (S i) theta * V (S j) theta
                                                     - V1 (S j) theta * V (S i) theta))
    <= 2 * (h * h * h * remainder_constant G L M n).
Proof.
  intros theta G L M h V V1 V2 n Hh HG HL HM HV HV1 Hb T.
  assert (Hexp : forall i, expandable (E := line) theta G L M (INR n * (h * G)) (V i)
                             (fun w => V1 i theta * w)).
  { intros i. apply (twice_differentiable_expandable theta G L M _ (V i) (V1 i) (V2 i)); auto.
    apply Rmult_le_pos; [apply pos_INR | apply Rmult_le_pos; assumption]. }
  assert (Hnorm : forall x : line, ‖x‖ = Rabs x).
  { intros x. unfold norm. simpl. apply sqrt_Rsqr_abs. }
  split.
  - pose proof (composition_expansion (E := line) h theta G L M _ Hh HG HL HM V _ Hexp n
      (Rle_refl _)) as H. rewrite Hnorm in H.
    match goal with |- Rabs ?a <= _ => match type of H with Rabs ?b <= _ =>
      replace a with b; [exact H |] end end.
    unfold sub. simpl. unfold T. ring.
  - pose proof (backward_minus_forward (E := line) h theta G L M _ V _ Hh HG HL HM Hexp n
      (Rle_refl _)) as H. rewrite Hnorm in H.
    match goal with |- Rabs ?a <= _ => match type of H with Rabs ?b <= _ =>
      replace a with b; [exact H |] end end.
    rewrite (pair_sum_ext (E := line) n
      (fun i j => bracket (E := line) theta V (fun i w => V1 i theta * w) (S i) (S j))
      (fun i j => V1 (S i) theta * V (S j) theta - V1 (S j) theta * V (S i) theta)).
    + unfold sub. simpl. unfold T. ring.
    + intros u v _. unfold bracket, sub. simpl. ring.
Qed.

(** Lemma C.1 in R^d: fields whose coordinates have directional derivatives. *)
Theorem composition_expansion_in_Rd :
  forall d (theta : euclidean d) G L M h (V : nat -> euclidean d -> euclidean d)
    (DV : nat -> euclidean d -> euclidean d -> euclidean d) n,
  0 <= h -> 0 <= G -> 0 <= L -> 0 <= M ->
  (forall i x y, DV i theta (x +v y) = DV i theta x +v DV i theta y) ->
  (forall i a x, DV i theta (a *v x) = a *v DV i theta x) ->
  (forall i x, ‖x -v theta‖ <= INR n * (h * G) ->
     ‖V i x‖ <= G /\
     (forall w j, derivable_pt_lim (fun t => V i (x +v t *v w) j) 0 (DV i x w j)) /\
     (forall w, ‖DV i x w‖ <= L * ‖w‖) /\
     (forall w, ‖DV i x w -v DV i theta w‖ <= M * ‖x -v theta‖ * ‖w‖)) ->
  let T := fun i => euler_step h (V i) in
  ‖backward T n theta
     -v (theta +v h *v vsum n (fun l => V (S l) theta)
         +v (h * h) *v pair_sum n (fun u v => DV (S u) theta (V (S v) theta)))‖
    <= h * h * h * remainder_constant G L M n /\
  ‖backward T n theta -v forward T n theta
     -v (h * h) *v pair_sum n (fun i j => DV (S i) theta (V (S j) theta)
                                          -v DV (S j) theta (V (S i) theta))‖
    <= 2 * (h * h * h * remainder_constant G L M n).
Proof.
  intros d theta G L M h V DV n Hh HG HL HM Hadd Hscale Hb T.
  assert (H0 : ‖theta -v theta‖ <= INR n * (h * G)).
  { rewrite norm_sub_refl. apply Rmult_le_pos; [apply pos_INR | apply Rmult_le_pos; assumption]. }
  assert (Hexp : forall i, expandable theta G L M (INR n * (h * G)) (V i) (DV i theta)).
  { intros i. apply lipschitz_derivative_expandable; [assumption | assumption |].
    split; [apply Hadd | split; [apply Hscale | split; [apply (Hb i theta H0) |]]].
    intros x Hx. destruct (Hb i x Hx) as (B0 & B1 & B2 & B3). repeat split; try assumption.
    intros u w. specialize (B1 w).
    (* the inner product with u is a finite sum of coordinates *)
    change (derivable_pt_lim (fun t => sum_fin (fun j => V i (x +v t *v w) j * u j)) 0
              (sum_fin (fun j => DV i x w j * u j))).
    assert (Hsum : forall m (f : R -> coordinates m) (f' u : coordinates m),
      (forall j, derivable_pt_lim (fun t => f t j) 0 (f' j)) ->
      derivable_pt_lim (fun t => sum_fin (fun j => f t j * u j)) 0 (sum_fin (fun j => f' j * u j))).
    { clear. induction m; intros f f' u H; simpl; [apply derivable_pt_lim_const |].
      apply (derivable_pt_lim_plus (fun t => f t Fin.F1 * u Fin.F1)
               (fun t => sum_fin (fun j => f t (Fin.FS j) * u (Fin.FS j)))).
      - replace (f' Fin.F1 * u Fin.F1) with (f' Fin.F1 * u Fin.F1 + f 0 Fin.F1 * 0) by ring.
        apply (derivable_pt_lim_mult (fun t => f t Fin.F1) (fun _ => u Fin.F1));
          [apply H | apply derivable_pt_lim_const].
      - apply (IHm (fun t j => f t (Fin.FS j)) (fun j => f' (Fin.FS j)) (fun j => u (Fin.FS j))).
        intros j. apply H. }
    apply (Hsum d (fun t => V i (x +v t *v w))). exact B1. }
  split.
  - apply (composition_expansion h theta G L M _ Hh HG HL HM V (fun i => DV i theta) Hexp n (Rle_refl _)).
  - apply (backward_minus_forward h theta G L M _ V (fun i => DV i theta) Hh HG HL HM Hexp n (Rle_refl _)).
Qed.

(** Row 56: C^1 alone is not enough. With V_1 = |x|^{3/2} (C^1, V_1(0) = V_1'(0) = 0), V_2 = 1 and
    theta = 0 the remainder is exactly h^{5/2}, so no constant C bounds it by C h^3. *)
Theorem continuous_derivative_not_enough :
  let V1 := fun x : line => Rabs x * sqrt (Rabs x) in
  let V2 := fun _ : line => 1 in
  derivable_pt_lim V1 0 0 /\
  (forall h, 0 <= h ->
     euler_step h V1 (euler_step h V2 0) - (0 + h * (V1 0 + V2 0) + h * h * (0 * V2 0))
     = h * h * sqrt h) /\
  (forall C, exists h, 0 < h <= 1 /\ C * (h * h * h) < h * h * sqrt h).
Proof.
  intros V1 V2. split; [| split].
  - intros eps He. assert (Hd : 0 < eps * eps) by nra. exists (mkposreal _ Hd). simpl.
    intros h Hn Hlt. unfold V1. rewrite Rplus_0_l, Rabs_R0, Rmult_0_l, !Rminus_0_r.
    unfold Rdiv. rewrite !Rabs_mult, Rabs_Rabsolu, Rabs_inv.
    assert (Hp : 0 < Rabs h) by (apply Rabs_pos_lt; assumption).
    rewrite (Rabs_pos_eq (sqrt _)) by apply sqrt_pos.
    replace (Rabs h * sqrt (Rabs h) * / Rabs h) with (sqrt (Rabs h)) by (field; lra).
    rewrite <- (sqrt_square eps) by lra. apply sqrt_lt_1_alt. lra.
  - intros h Hh. unfold euler_step, V1, V2. simpl.
    rewrite Rabs_R0. replace (0 + h * 1) with h by ring. rewrite Rabs_pos_eq by assumption. ring.
  - intros C. set (c := Rabs C + 1). assert (Hc : 1 <= c) by (unfold c; pose proof (Rabs_pos C); lra).
    assert (HcC : C < c) by (unfold c; pose proof (Rle_abs C); lra).
    exists (/ (c * c)).
    assert (Hi : 0 < / c) by (apply Rinv_0_lt_compat; lra).
    assert (E : / (c * c) = / c * / c) by (field; lra).
    assert (Hi1 : / c <= 1) by (rewrite <- Rinv_1; apply Rinv_le_contravar; lra).
    rewrite E. rewrite sqrt_square by lra. split; [nra |].
    assert (Hci : c * / c = 1) by (field; lra).
    assert (0 < / c * / c * (/ c * / c) * / c) by (repeat apply Rmult_lt_0_compat; assumption).
    replace (/ c * / c * (/ c * / c) * / c)
      with (c * (/ c * / c * (/ c * / c) * (/ c * / c))) by (field; lra).
    apply Rmult_lt_compat_r; [repeat apply Rmult_lt_0_compat; assumption | exact HcC].
Qed.
