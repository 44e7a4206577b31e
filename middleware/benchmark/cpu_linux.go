package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is the CPU time that a process has used so far, with all its threads,
// in user and kernel mode. Unlike the time on a clock it does not grow when the
// neighbours are busy.
func cpuTime(pid int) time.Duration {
	const schedulers = 2 // CPUCLOCK_SCHED: to the nanosecond, where /proc counts ticks
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|schedulers, &t); err != nil {
		fail(fmt.Errorf("CPU time of process %d: %w", pid, err))
	}
	return time.Duration(t.Nano())
}

// pin binds a process to one core, now and for all its threads to come. The
// server under test gets a core, and all others share the other one.
func pin(pid, core int) {
	if runtime.NumCPU() < 2 {
		return
	}
	var set unix.CPUSet
	set.Set(core)
	bind(pid, &set)
}

// unpin gives a process all cores back.
func unpin(pid int) {
	var set unix.CPUSet
	for core := range runtime.NumCPU() {
		set.Set(core)
	}
	bind(pid, &set)
}

func bind(pid int, set *unix.CPUSet) {
	// Twice: a thread that began meanwhile has its parent's cores, and its parent
	// may not have had its turn.
	for range 2 {
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			fail(err)
		}
		for _, task := range tasks {
			if id, err := strconv.Atoi(task.Name()); err == nil {
				_ = unix.SchedSetaffinity(id, set) // a thread may have ended
			}
		}
	}
}
