// Package cors is the stage of the kind "cors": the CORS protocol (Fetch standard, section 3.3) on behalf of the service.
//
// It owns the answer to preflights, the fields Access-Control-* and Vary on every other answer, and the refusal of origins that
// aren't listed, where that is asked for. It doesn't own which route a preflight finds (snapshot), nor that its stage runs before all
// others of its phase (pipeline), so that their refusals carry its fields as well.
//
// An origin is compared byte for byte, as browsers do; one that is written as no browser writes it is nobody's. Two fields Origin, or an
// empty one, are an origin that isn't listed. What the service says of CORS is taken out of every answer, whoever asks: this policy has
// the only say. In shadow nothing is answered or set.
package cors
