// Package proposals is four eyes: a batch is filed by one person, reviewed with its plan, and published by somebody else.
//
// A proposal is planned when it is filed, by a dry run of package publish, and keeps what it was planned on: the versions of all that it
// changes or refers to. What reviewers agree to is that plan. It is published only while all of that is as it was, compared behind the same
// locks under which it is written, in one transaction with the proposal's end; once something moved on it is stale, until its
// author plans it anew and others approve it again.
//
// Somebody else is another user, or a service token that neither has made, nor whoever made theirs: that is read from the audit record. Of
// tokens that a command made, or several people share, nobody knows whose they are. What the author may do later, or whether they are still
// there, is not asked: who approved the plan and who publishes it, with the rights of their own that each of its steps needs, answer for it.
//
// The package owns a proposal's states and who may lead it from one to the next. What a batch means and what its plan is, is package
// publish's; how both are shown, the face's (Config); SQL is package postgres's ([Store]). That a batch holds values of secrets is why it
// lies sealed while it is open, and is forgotten when it closes; shown, they are left out. It makes no API key: that would be
// shown to whoever publishes it.
//
// Data flows ProposalRequest → plan (dry run) → Record → approvals → publish.Publisher → revision and entries.
package proposals
