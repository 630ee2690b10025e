"""Worker processes: devices, the pool that keeps them alive, and the loop inside one."""
