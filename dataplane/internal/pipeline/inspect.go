package pipeline

import (
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/effort"
	"github.com/sallyport/sallyport/proto/problem"
)

// inspectionRetry is what a caller is told to wait, in seconds, whose inspection had no turn.
const inspectionRetry = "1"

// Inspect does one piece of work on the exchange once it is its turn, and books on its caller what it cost; weight is how many bytes are looked at. An error, which is a
// *Rejection, says that it wasn't done. The work of a dry run is done at once, and nobody pays for it.
func (ex *Exchange) Inspect(meter *effort.Meter, allowance effort.Allowance, weight int, work func()) error {
	if ex.Dry {
		work()
		return nil
	}
	caller := ex.inspected()
	caller.Watch = ex.watchInspection
	return ex.uninspected(meter.Do(caller, allowance, weight, work))
}

// MayInspect refuses, by a *Rejection, whose inspections have cost too much already: to be asked before the body is read.
func (ex *Exchange) MayInspect(meter *effort.Meter, allowance effort.Allowance) error {
	if ex.Dry || meter == nil {
		return nil
	}
	return ex.uninspected(meter.Spent(ex.inspected(), allowance))
}

// inspected is who pays.
func (ex *Exchange) inspected() effort.Caller {
	who := ex.Caller()
	caller := effort.Caller{Address: ex.Client.Address, Credential: who.Credential}
	if who.Token != nil && who.Credential.IsZero() {
		caller.Issuer, caller.Subject = who.Token.Issuer, who.Token.Subject
	}
	return caller
}

// uninspected is the refusal of who wasn't inspected for an error of the meter; nil: there is none.
func (ex *Exchange) uninspected(err error) error {
	if err == nil {
		return nil
	}
	var spent *effort.SpentError
	if !errors.As(err, &spent) {
		r := ex.Reject(problem.InspectionBusy, "", err.Error())
		r.Header.Add("Retry-After", inspectionRetry)
		return r
	}
	r := ex.Reject(problem.InspectionOverBudget, "", err.Error())
	whole := int64((spent.Retry + time.Second - 1) / time.Second) // rounded up, so that nobody comes back too early
	r.Header.Add("Retry-After", ex.TextDone(strconv.AppendInt(ex.TextBuffer(), max(whole, 1), 10)))
	return r
}

// watchInspection has a wait cut when the exchange is ended from outside.
func (ex *Exchange) watchInspection(cut func()) (release func(), err error) {
	if ex.Abort == nil {
		return func() {}, nil
	}
	if cause := ex.Abort.HoldStage(&cutting{cut: cut}); cause != nil {
		_ = ex.Abort.HoldStage(nil) // the cause is looked at by whoever answers
		return nil, cause
	}
	return func() { _ = ex.Abort.HoldStage(nil) }, nil
}

// cutting is a Cutter.
type cutting struct {
	once sync.Once
	cut  func()
}

// Cut implements Cutter.
func (c *cutting) Cut() { c.once.Do(c.cut) }
