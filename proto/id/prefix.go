package id

// Prefixes of ids as text: the one list. Both planes write them, and those of directory entries are part of their keys, and
// so of the directory's digest.
const (
	AccessToken    = "tok"
	APIKey         = "key"
	AuditEvent     = "evt"
	Block          = "blk"
	Certificate    = "crt"
	Consumer       = "con"
	Environment    = "env"
	Event          = "ev"
	Guardrail      = "gr"
	Issuer         = "iss"
	JoinToken      = "jt"
	Node           = "node"
	NodeGroup      = "ng"
	Password       = "pwd"
	Policy         = "pol"
	Proposal       = "prop"
	Request        = "req"
	Role           = "role"
	RoleBinding    = "rb"
	Route          = "rt"
	Secret         = "sec"
	Service        = "svc"
	Session        = "ses"
	Settings       = "set"
	SignInProvider = "idp"
	Team           = "team"
	User           = "usr"
	Webhook        = "wh"
)
