package conformance

import (
	"fmt"
	"strings"
	"testing"
)

// leastCases is how many attacks the combinations must make at the least.
const leastCases = 1500

// spelling is a way to write a field of framing, and what it is to be taken for.
type spelling struct {
	line string
	// taken: it frames the body; else the request is refused, unless it is ignored.
	taken, ignored bool
}

// codings are spellings of Transfer-Encoding: chunked.
func codings() []spelling {
	all := []spelling{
		{line: "Transfer-Encoding: chunked", taken: true},
		{line: "transfer-encoding:chunked", taken: true},
		{line: "TRANSFER-ENCODING: CHUNKED", taken: true},
		{line: "Transfer-Encoding:\tchunked", taken: true},
		{line: "Transfer-Encoding:  chunked \t", taken: true},
		{line: "tRANSFER-eNCODING: cHuNkEd", taken: true},
		{line: "X-Transfer-Encoding: chunked", ignored: true},
		{line: "Transfer-Encodings: chunked", ignored: true},
		{line: "TransferEncoding: chunked", ignored: true},
		{line: "Transfer-Encodin: chunked", ignored: true},
		{line: "TE: chunked", ignored: true},
		{line: "X: Transfer-Encoding: chunked", ignored: true},
	}
	for _, line := range []string{
		"Transfer-Encoding : chunked", "Transfer-Encoding\t: chunked", "Transfer-Encoding\x0b: chunked", "Transfer-Encoding\x00: chunked", "Transfer-Encoding\r: chunked",
		" Transfer-Encoding: chunked", "\tTransfer-Encoding: chunked", "\x0bTransfer-Encoding: chunked", "\x00Transfer-Encoding: chunked", "\rTransfer-Encoding: chunked",
		"X: y\rTransfer-Encoding: chunked", "X: y\nTransfer-Encoding: chunked", "X: y\r\r\nTransfer-Encoding: chunked", "X: y\n\rTransfer-Encoding: chunked",
		"Transfer-Encoding:\r\n chunked", "Transfer-Encoding:\r\n\tchunked", "Transfer-Encoding:\n chunked", "Transfer-Encoding\r\n: chunked", "Transfer-\r\n Encoding: chunked", "Transfer-Encoding: chunked\r\n x",
		"Transfer_Encoding: chunked", "transfer_encoding: chunked", "Transfer.Encoding: chunked", "Transfer~Encoding: chunked", "Transfer'Encoding: chunked", "Transfer Encoding: chunked", "Transfer\tEncoding: chunked", "Transfer\x00Encoding: chunked",
		"Transfer-Encoding", "Transfer-Encoding chunked", "Transfer-Encoding=chunked", "Transfer-Encoding; chunked", ":Transfer-Encoding: chunked", "\"Transfer-Encoding\": chunked", "Transfer\xadEncoding: chunked", "Transfer-Encod\xc4\xb1ng: chunked",
	} {
		all = append(all, spelling{line: line})
	}
	for _, value := range []string{
		"", "xchunked", "chunkedx", "chunke", "chunk", "x", "identity", "gzip", "deflate", "compress", "x-gzip", "br", "cow", "none", "0", "*", "true",
		"chunked, identity", "identity, chunked", "chunked,chunked", "chunked, chunked", "gzip, chunked", "chunked, gzip", "x, chunked", "chunked, x", ",chunked", "chunked,", ", chunked", "chunked ,", ",,chunked", "chunked;", "chunked;q=1", "chunked;a=b", "chunked ; x", "chunked=1",
		"chunked x", "x chunked", "chunked\tx", "x\tchunked", "chunked chunked", "\"chunked\"", "'chunked'", "(chunked)", "<chunked>", "chunked\"", "\"chunked, x\"", "chunked.", ".chunked", "chunked\\", "\\chunked", "chunked/1", "/chunked", "-chunked", "chunked-", "+chunked", "_chunked",
		"chunked\x00", "\x00chunked", "chun\x00ked", "chunked\x0b", "\x0bchunked", "\x0b chunked", "chunked\x0c", "\x0cchunked", "\x1fchunked", "chunked\x7f", "\x7fchunked", "\x80chunked", "chunked\x80", "\xa0chunked", "chunked\xa0", "\xffchunked", "\xc2\xa0chunked", "\xef\xbb\xbfchunked", "\xe2\x80\x8bchunked",
		"chunked\r", "\rchunked", "chun\rked", "chunked\rx", "x\rchunked", "\nchunked", "chunked\nx: y", "chunked\r\n\tx", "c\u212aunked", "chunKed\u0301", "ch%75nked", "chun ked", "chunked: x", ":chunked", "=chunked", "@chunked", "Transfer-Encoding: chunked",
	} {
		all = append(all, spelling{line: "Transfer-Encoding: " + value}, spelling{line: "Transfer-Encoding: chunked\r\nTransfer-Encoding: " + value},
			spelling{line: "Transfer-Encoding: " + value + "\r\nTransfer-Encoding: chunked"})
	}
	return all
}

// Every spelling of chunked, alone and beside every kind of length, before a body that begins another request whoever is wrong about it.
func TestChunkedIsTakenInOneSpellingOnly(t *testing.T) {
	t.Parallel()
	var attacks []attack
	last := "0\r\n\r\n"
	for _, coding := range codings() {
		te := coding.line + "\r\n"
		name := fmt.Sprintf("%q", coding.line)
		lengths := map[string]string{
			"length of all":        fmt.Sprintf("Content-Length: %d\r\n", len(last)+len(evilGet)),
			"length of the chunks": fmt.Sprintf("Content-Length: %d\r\n", len(last)),
		}
		switch {
		case coding.taken:
			attacks = append(attacks, serve(name, post+te+"\r\n"+chunk(evilGet)+last, "POST "+own+" "+evilGet))
			for which, cl := range lengths {
				attacks = append(attacks, refuse(name+" before a "+which, post+te+cl+"\r\n"+last+evilGet, bad), refuse(name+" behind a "+which, post+cl+te+"\r\n"+last+evilGet, bad))
			}
		case coding.ignored:
			all := fmt.Sprintf("Content-Length: %d\r\n", len(last)+len(evilGet))
			attacks = append(attacks, serve(name+" before a length", post+te+all+"\r\n"+last+evilGet, "POST "+own+" "+last+evilGet),
				serve(name+" behind a length", post+all+te+"\r\n"+last+evilGet, "POST "+own+" "+last+evilGet))
		default:
			attacks = append(attacks, refuse(name, post+te+"\r\n"+last+evilGet, unknown), refuse(name+", GET", get+te+"\r\n"+last+evilGet, unknown))
			for which, cl := range lengths {
				attacks = append(attacks, refuse(name+" before a "+which, post+te+cl+"\r\n"+last+evilGet, unknown), refuse(name+" behind a "+which, post+cl+te+"\r\n"+last+evilGet, unknown))
			}
		}
	}
	if len(attacks) < leastCases {
		t.Errorf("only %d attacks were made", len(attacks))
	}
	withstands(t, attacks)
}

// Every spelling of a length, alone, beside the right one, and beside chunks.
func TestALengthIsTakenInOneSpellingOnly(t *testing.T) {
	t.Parallel()
	right := fmt.Sprint(len(evilGet))
	var attacks []attack
	for _, line := range []string{"Content-Length: " + right, "content-length:" + right, "CONTENT-LENGTH: \t" + right + " \t", "Content-Length: 000" + right} {
		attacks = append(attacks, serve(fmt.Sprintf("%q", line), post+line+"\r\n\r\n"+evilGet, "POST "+own+" "+evilGet), refuse(fmt.Sprintf("%q and chunks", line), post+line+"\r\n"+chunkedTE+"\r\n0\r\n\r\n", bad))
	}
	var lines []string
	for _, value := range []string{
		"", "+N", "-N", "0xN", "0XN", "N.0", "N,", ",N", "N,N", "N, N", "N N", "N;", "\"N\"", "'N'", "N\x00", "\x00N", "N\x0b", "\x0bN", "N\x0c", "N\r", "\rN", "N\x7f", "N\x80", "\xa0N", "N\xa0", "Ne0", "1_0", "N_", "_N", "Nx", "xN", "N/1", "=N", ":N", "N:", "(N)", "%30", "٥", "\xef\xbc\x95",
		"18446744073709551616", "18446744073709551615", "9223372036854775808", "99999999999999999999999999", "-0", "+0", "--1", "NaN", "inf", "null", "true", "0, N", "N, 0", "0\tN", "N\r\n N", "0\r\n N", "\r\n N", "\n N",
	} {
		lines = append(lines, "Content-Length: "+strings.ReplaceAll(value, "N", right))
	}
	for _, name := range []string{
		"Content-Length ", "Content-Length\t", "Content-Length\x0b", "Content-Length\x00", "Content-Length\r", " Content-Length", "\tContent-Length", "\x0bContent-Length", "\x00Content-Length", "\rContent-Length",
		"Content_Length", "content_length", "Content.Length", "Content~Length", "Content Length", "Content\tLength", "Content\x00Length", "Content\xadLength", "\"Content-Length\"", ":Content-Length", "X: y\rContent-Length", "X: y\nContent-Length", "Content-\r\n Length", "Content-Length\r\n ",
	} {
		lines = append(lines, name+": "+right)
	}
	for _, line := range lines {
		name := fmt.Sprintf("%q", line)
		attacks = append(attacks,
			refuse(name, post+line+"\r\n\r\n"+evilGet, bad),
			refuse(name+", GET", get+line+"\r\n\r\n"+evilGet, bad),
			refuse(name+" before the right one", post+line+"\r\nContent-Length: "+right+"\r\n\r\n"+evilGet, bad),
			refuse(name+" behind the right one", post+"Content-Length: "+right+"\r\n"+line+"\r\n\r\n"+evilGet, bad),
			refuse(name+" and chunks", post+line+"\r\n"+chunkedTE+"\r\n0\r\n\r\n"+evilGet, bad))
	}
	withstands(t, attacks)
}

const judgedPathBytes = "%\"<>[\\]^`{|};"

const tokenBytes = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// Every byte at every place of a head where it could end something, or begin it.
func TestEveryByteIsTakenForWhatItIs(t *testing.T) {
	t.Parallel()
	var attacks []attack
	add := func(ok bool, name, wire string) {
		if ok {
			attacks = append(attacks, attack{name: name, wire: wire, answers: []string{"200"}, reach: []string{"GET " + own + " "}})
		} else {
			attacks = append(attacks, refuse(name, wire, unknown))
		}
	}
	for c := range 256 {
		b := string([]byte{byte(c)})
		token := strings.Contains(tokenBytes, b)
		value := c >= ' ' && c != 0x7f || c == '\t'
		add(token || c == ':', fmt.Sprintf("%q in a name", b), get+"Name"+b+"s: x\r\n\r\n")
		add(token, fmt.Sprintf("%q at the beginning of a name", b), get+b+"Name: x\r\n\r\n")
		add(token || c == ':', fmt.Sprintf("%q before a colon", b), get+"Name"+b+": x\r\n\r\n")
		add(value, fmt.Sprintf("%q in a value", b), get+"Name: x"+b+"y\r\n\r\n")
		add(value, fmt.Sprintf("%q at the end of a value", b), get+"Name: xyz"+b+"\r\n\r\n")
		add(false, fmt.Sprintf("%q instead of the empty line", b), get+b+"\r\n\r\n")
		// A separator inside of a name of framing makes a twin of it, which somebody behind us might take for the name.
		letter := c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
		if c != '-' {
			harmless := letter || c == ':'
			attacks = append(attacks, framedOddly(harmless, fmt.Sprintf("%q in Transfer-Encoding", b), "Transfer"+b+"Encoding: chunked"),
				framedOddly(harmless, fmt.Sprintf("%q in Content-Length", b), "Content"+b+"Length: 5"))
		}
		// Methods are tokens; what a path may hold is judged by itself, and is no byte that ends it.
		if method := "GE" + b + "T"; !token {
			attacks = append(attacks, refuse(fmt.Sprintf("%q in a method", b), method+" "+own+" HTTP/1.1\r\n"+hostLine+"\r\n", bad))
		}
		path := attack{name: fmt.Sprintf("%q in a path", b), wire: "GET " + own + b + " HTTP/1.1\r\n" + hostLine + "\r\n", answers: []string{"200"}}
		if c <= ' ' || c >= 0x7f || c == '#' {
			path = refuse(path.name, path.wire, bad)
		} else if strings.Contains(judgedPathBytes, b) {
			path.answers, path.stays = []string{"200|400"}, true
		}
		attacks = append(attacks, path)
	}
	withstands(t, attacks)
}

// framedOddly is a request with a field that is nearly one of framing.
func framedOddly(harmless bool, name, line string) attack {
	if harmless {
		return serve(name, get+line+"\r\n\r\n", "GET "+own+" ")
	}
	return refuse(name, get+line+"\r\n\r\n"+evilGet, bad)
}
