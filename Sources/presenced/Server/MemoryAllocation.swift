import CMalloc

/// How this process takes memory from the system.
enum MemoryAllocation {
    /// What is free at the end of the heap stays ours up to this much: every commit of the database needs it again.
    private static let trimThresholdBytes: Int32 = 16 << 20
    /// Taken at once where more is needed.
    private static let topPadBytes: Int32 = 1 << 20

    /// Keeps freed memory instead of giving it back to the system and taking it again thousands of times a second, which
    /// costs half of the rate of PUTs (see Spec/Measurements.md). To be called before the first thread begins.
    static func keepFreedMemory() {
        _ = mallopt(M_TRIM_THRESHOLD, trimThresholdBytes)
        _ = mallopt(M_TOP_PAD, topPadBytes)
    }
}
