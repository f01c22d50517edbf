import NIOCore
import NIOPosix
import NIOSSL

/// Asks one port of loopback over many connections, on one thread.
struct LoadGenerator: Sendable {
    var port: Int
    /// `nil` for plain HTTP.
    var tls: NIOSSLContext?
    /// Requests under way at once on each connection.
    var pipeline = 1
    /// What is sent before it counts.
    var warmUp: TimeAmount = .seconds(1)

    /// - Parameters:
    ///   - schedules: one connection for each.
    ///   - repeats: until the time is over; else each request once, and the time is the limit.
    func run(_ schedules: [[PreparedRequest]], repeats: Bool, seconds: Double) async throws -> LoadResult {
        let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        do {
            let result = try await run(schedules, repeats: repeats, seconds: seconds, on: loop.next())
            try await loop.shutdownGracefully()
            return result
        } catch {
            try? await loop.shutdownGracefully()
            throw error
        }
    }

    private func run(
        _ schedules: [[PreparedRequest]], repeats: Bool, seconds: Double, on loop: any EventLoop
    ) async throws -> LoadResult {
        let countsFrom = NIODeadline.now() + warmUp
        let window = LoadWindow(
            countsFrom: countsFrom, endsAt: countsFrom + .nanoseconds(Int64(seconds * 1e9)))
        let depth = pipeline
        let tls = tls
        var results: [EventLoopFuture<ConnectionTally>] = []
        for requests in schedules where !requests.isEmpty {
            let promise = loop.makePromise(of: ConnectionTally.self)
            // Whatever happens, nobody waits for ever.
            loop.scheduleTask(deadline: window.endsAt + .seconds(20)) {
                promise.fail(LabError("requests were still unanswered 20 s after the end"))
            }
            ClientBootstrap(group: loop)
                .channelOption(.socketOption(.tcp_nodelay), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        if let tls {
                            let handler = try NIOSSLClientHandler(context: tls, serverHostname: "localhost")
                            try channel.pipeline.syncOperations.addHandler(handler)
                        }
                        let connection = LoadConnection(
                            requests, repeats: repeats, depth: depth, window: window, result: promise)
                        try channel.pipeline.syncOperations.addHandler(connection)
                    }
                }
                .connect(host: "127.0.0.1", port: port)
                .whenFailure { promise.fail($0) }
            results.append(promise.futureResult)
        }
        return LoadResult(try await EventLoopFuture.whenAllSucceed(results, on: loop).get())
    }
}

/// What all connections saw together.
struct LoadResult: Sendable {
    /// Answers in all, also before it counted.
    let answerCount: Int
    /// Answers that were not 200.
    let refusedCount: Int
    let perSecond: Double
    private let sortedLatencies: [Int64]
    let lastAnswers: [ConnectionTally.Answer]

    init(_ tallies: [ConnectionTally]) {
        answerCount = tallies.reduce(0) { $0 + $1.answerCount }
        refusedCount = tallies.reduce(0) { $0 + $1.refusedCount }
        perSecond = tallies.reduce(0) { sum, tally in
            let count = Double(tally.latenciesNanoseconds.count)
            return tally.countedNanoseconds > 0 ? sum + count * 1e9 / Double(tally.countedNanoseconds) : sum
        }
        sortedLatencies = tallies.flatMap(\.latenciesNanoseconds).sorted()
        lastAnswers = tallies.map(\.lastAnswer)
    }

    /// - Parameter share: 0.5 for the median.
    func latencyMilliseconds(_ share: Double) -> Double {
        guard !sortedLatencies.isEmpty else { return 0 }
        let index = min(sortedLatencies.count - 1, Int(Double(sortedLatencies.count) * share))
        return Double(sortedLatencies[index]) / 1e6
    }
}
