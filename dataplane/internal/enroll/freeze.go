package enroll

// Freeze keeps the identity's file as it is, until Thaw: it is another process's to write. What changes meanwhile is used, and in memory alone:
// an announcement that was refused would end the stream on which revocations come, and a crash costs no more than hearing it again.
func (i *Identity) Freeze() {
	i.changing.Lock()
	defer i.changing.Unlock()
	i.frozen = true
}

// Thaw makes the file this process's again, or for the first time, and writes what has changed since Freeze.
func (i *Identity) Thaw() error {
	i.changing.Lock()
	defer i.changing.Unlock()
	i.frozen = false
	if !i.unkept {
		return nil
	}
	if err := i.papers().save(i.dir); err != nil {
		return err
	}
	i.unkept = false
	return nil
}
