"""Derivations that a reader follows with pencil: every public function returns the `Identity` that it proves."""
