// Package corpus holds requests on which inspections are judged and compared.
//
// There are four kinds. [Regression] is the Core Rule Set's own tests, with what their rules are to find. [Mutants] are their payloads in other
// encodings and other places. [Samples] are texts that the rules' own regular expressions match, made from the expressions: they find what no list of
// attacks does, an engine that takes a short cut which misses a match. [Benign] is what honest clients send, and nothing in it is an attack.
//
// All are made on the spot from the rule set's own files and from word lists here, by generators without a clock or a seed of their own: the n-th request is the
// same one everywhere, for as long as its generator stays. The package stands beside the rules, where the edge's engines, tests of the
// built programs and measurements alike may import it. It knows no engine and judges nothing.
package corpus
