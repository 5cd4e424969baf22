"""The rules' canaries in the running system: synthetic patients go the way of all patients, and what comes back is compared."""
