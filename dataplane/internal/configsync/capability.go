package configsync

// Capability is what this build understands of the contract, told in each Hello. It is raised by
// one with each new field that a node must know; the control plane uses such a field once every
// node of the environment has its number. Numbers are never given again.
//
//	1  2026-11-22  services, routes, policies (api-key, rate-limit), settings; consumers, API keys,
//	               secrets, peppers
//	2  2026-11-22  Inquire and Hello.started_at; rate-limit with scope fleet, and the fleet's entry in the directory; blocks;
//	               announcements of whom to believe in; settings: max_staleness, removal_percent;
//	               Hello.head, and the recall of what a database lost (Recall, Holdings)
//	3  2026-11-22  everyday policies, policies on consumers, teams, guardrails, explain; heads of the audit record;
//	               settings: four_eyes, traced_per_million
//	4  2026-11-22  the engine: certificates and ticket keys, TLS to clients and services, balancing, ejection, bounds on connections;
//	               settings: paths, connections, tls
//	5  2026-11-22  identity: issuers and their key sets, jwt, basic, anonymous, cel, identity-token, acl by roles, claims and paths;
//	               passwords and signing keys in the directory; blocks on tokens and subjects; RefreshKeys
//	6  2026-11-22  inspection: waf and its exclusions, json-guard, content, openapi and API descriptions; TryExclusion
const Capability uint32 = 6
