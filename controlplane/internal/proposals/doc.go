// Package proposals is four eyes: a batch is filed by one person, reviewed with its plan, and published by somebody else.
//
// A proposal is planned when it is filed, by a dry run of package publish, and keeps what it was planned on: the versions of all that it
// changes or refers to. What reviewers agree to is that plan. It is published only while all of that is as it was, compared behind the same
// locks under which it is written, in one transaction with the proposal's end; once something moved on it is stale, until its
// author plans it anew and others approve it again.
//
// The package owns a proposal's states and who may lead it from one to the next. What a batch means and what its plan is, is package
// publish's; how both are shown, the face's (Config); SQL is package postgres's ([Store]). That a batch holds values of secrets is why it
// lies sealed while it is open, and is forgotten when it closes; shown, they are left out. It makes no API key: that would be
// shown to whoever publishes it.
//
// Data flows ProposalRequest → plan (dry run) → Record → approvals → publish.Publisher → revision and entries.
package proposals
