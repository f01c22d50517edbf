import NIOCore
import NIOPosix

/// Whether the condition comes to hold within a minute. Leaves the processor to others meanwhile: what is waited
/// for needs it.
func comes(_ condition: () async throws -> Bool) async rethrows -> Bool {
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline {
        if try await condition() { return true }
        await moment()
    }
    return try await condition()
}

/// A moment for everybody else.
func moment() async {
    let loop = MultiThreadedEventLoopGroup.singleton.any()
    _ = try? await loop.scheduleTask(in: .milliseconds(2)) {}.futureResult.get()
}
