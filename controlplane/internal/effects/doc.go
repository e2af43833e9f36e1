// Package effects says what a change of the configuration means for those who call the routes.
//
// It owns the comparison of two heads ([Of]) and its words: an [Effect] has a stable code, a severity, the routes that it
// concerns and a sentence. It decides nothing, reads no store, and knows no kind of policy: what a kind can say better
// than "this field differs" is in its contract (policy.Contract.Effects). Labels, names and descriptions mean nothing to
// callers.
//
// The cost follows what changed: a policy of the environment is compared once for each service, not for each route, and
// all that it means is one effect with a count. Only a change of what a route matches looks at the matches of all others.
//
// The codes, each with that of the change the other way round:
//
//	route_added          route_removed          a route comes or goes, with the requests that it answers
//	requests_answered    requests_unanswered    a route answers more, or no longer answers
//	requests_taken       requests_released      a route comes before others for requests that they answered, or no longer does
//	route_public         route_protected        no enforced policy asks who calls any more; one does from now on
//	authentication_changed                      callers prove themselves in another way
//	policy_applied       policy_removed         a policy applies to routes, or no longer does
//	policy_enforced      policy_shadowed        its verdict holds from now on; is only counted
//	policy_changed                              fields of its configuration
//	policies_reordered                          they run in another order
//	service_changed                             another service answers
//	targets_changed                             the service's requests go elsewhere, or in other shares
//	timeouts_shortened   timeouts_lengthened    the edge waits less, or longer, for a service
//	upstream_changed                            any other field of a service
//	forwarding_changed                          the path that the service sees
//	issuer_changed                              tokens of an issuer are judged otherwise
//	exclusion_opened     exclusion_closed       a rule of the WAF no longer looks at something on a route until a day, or looks again
//	exclusion_shadowed                          what it wouldn't look at is only counted
//	exclusion_prolonged  exclusion_shortened    that holds for longer, or less long
//	route_changed                               any other field of a route
//	settings_changed                            fields of the environment's settings
//	matches_not_compared                        too many routes match alike to say all that is taken and released
//	more                                        how many effects aren't listed
//
// Data flows two catalog heads and the edits between them → effects → the API's plans, batches and diffs.
package effects
