// Package keylife is what becomes of API keys once they are made, as far as it isn't a write of one key alone: how one is used
// ([Keys.Use]), that many are revoked at once ([Keys.Revoke]), that one was found where none should be ([Keys.Leaked]), that one comes
// from another system ([Keys.Import]), and that nobody uses one any more ([Retirer]).
//
// It decides which keys are meant, and hands their ids to package publish, which writes: so everything here is one transaction with its
// proofs (package denials) and its event (package audit), and is held to the author's permissions there. Rotation is publish's own.
//
// Texts of keys come in and are digested at once. No error, log, event or answer holds one, nor tells of a key that wasn't shown.
package keylife
