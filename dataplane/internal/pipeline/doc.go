// Package pipeline is what a request passes through between its route and its upstream.
//
// It owns the [Exchange] (the gateway's own view of one request and its answer), the [Stage] that a policy is compiled
// to, the order and merging of a route's stages ([Effective], [Overlays]), the loop that runs them ([Stages]), and the counters of
// that loop ([Metrics]). It doesn't own any kind of policy (policies/<kind>), the choice of the route (router), or what
// is compiled when (snapshot). No type of net/http passes here.
//
// A request, step by step:
//
//  1. The listener takes an Exchange from a [Pool] and fills ID, Started, Context, Request and Client. What HTTP itself
//     forbids it refuses by [Exchange.Refuse].
//  2. The snapshot finds the route: Route, Params, ParamNames, Request.ForwardPath and Revision are set; or the request
//     is refused with route_not_found or method_not_allowed.
//  3. [Stages.Run] reads the clock once ([Exchange.Now]) and calls each stage's Request in order. A *[Rejection] from an
//     enforced stage ends it; whatever else goes wrong in one (an error, a panic) ends it too, as policy_failed. An answer
//     that is no refusal ([Exchange.Reply]: a preflight's, a redirect) ends it as well: then step 4 is left out.
//  4. The proxy asks the upstream and fills Response, within the bounds that stages have set for what streams
//     ([Exchange.LimitBody]: what goes beyond fails the request, which [Stages.CutOff] counts); or, when the request was refused at any step so far,
//     [Exchange.Answer] writes the problem.
//  5. [Stages.Respond] calls Response in reverse order for every enforced stage whose Request ran, and RespondEarly
//     for each [EarlyResponder] that the request didn't get to. A responder may refuse the answer; the problem then takes
//     its place, for the responders in front of it to mark.
//  6. The listener writes the answer, all but its end: nobody has that before step 7 is done.
//  7. [Exchange.Settle] brings in what stages in shadow could only say of a body at its end. [Stages.Finish] calls each Finisher whose Request ran, exactly once, however the exchange ended. The Exchange goes
//     back to its pool, and every string that shares its buffers is dead.
//
// # Dry runs and traces
//
// An exchange may be a dry run ([Exchange.Dry]): its stages decide as they would and count nothing, keep nothing and spend
// nothing, which each kind owes and a test over all kinds holds. Only in a dry run may somebody stand in for a credential
// ([Exchange.Standin]). Of any exchange a [Trace] notes what each stage said; without one that costs a question per stage, and [Stages.Retrace]
// can still tell afterwards which stages ran and who refused.
//
// # Modes
//
// Modes live in the loop, not in the stages. A policy that is off has no stage. A stage in shadow runs at its place,
// its verdict is counted, and nothing else of it remains: it refuses nobody, its Response isn't called unless it only watches ([AnswerWatcher]), the identity
// that it finds out goes to [Exchange.Shadow], which only shadow stages see ([Exchange.Caller]), and it must not change
// the request ([Exchange.InShadow]).
//
// # Several that authenticate
//
// Where several stages of the phase Authenticate run on a route, each proof is as good as another: the first stage that finds its
// credential in the request decides, and its refusal is as final as its yes. One that finds none says credential_missing, as it does when it
// is alone, and is passed over: the next is asked, and only the last one's refusal is answered. A 401 then has all their challenges.
//
// Stages behind the one that decided aren't asked. Their credential is taken out of the request all the same ([Concealer]): nobody has
// checked it, and a service must not believe in it. What is no credential of any kind on the route is the service's, and stays.
//
// A stage in shadow is asked as it would be if all of them were enforced: not when one in front of it has found its credential, and it would
// refuse for want of one only if it is the last. It decides nothing for those that are enforced, and hides nothing. An enforced stage that is
// the last of its sort and finds nothing ends the request, whatever shadows behind it would find: give what is tried out a lower position.
//
// A trace says of a stage that had no say that it was passed over, and why; metrics count those that looked in vain.
//
// # Order and merging
//
// Stages run by phase, then by level of attachment (environment, service, route, consumer), then by position, then by name. In
// its phase a kind that answers CORS preflights comes before all others: its responder marks what they refuse. One that decides about whom
// nobody else knows (policy.Traits.Fallback) comes behind all others.
// Policies of a kind that merges and decides (guards, limits, acl) all apply, whatever their levels. Those of a kind that
// merges and only changes (headers) do so down to the most general level that has a final one. Of every other kind the most
// specific level wins, and all its policies on that level apply; but a policy that is final isn't replaced by a more specific
// one. Modes play no part in it: a policy that is off on a route replaces the service's, and a final one in shadow keeps what
// is below it from running. See [Effective] and policy.Kind.Applies.
//
// # Overlays
//
// Policies that are attached to a consumer are known once an enforced Authenticate stage has said who calls. They are an
// [Overlay], which consumers with the same policies share. Stages up to Authenticate are the route's; behind it go on those
// that Effective chooses from the route's policies and the overlay's together. Each such combination is made once and kept for
// as long as neither changes, so that a request looks two things up and allocates nothing; a request on an edge where nothing is
// attached to consumers looks at one nil.
package pipeline
