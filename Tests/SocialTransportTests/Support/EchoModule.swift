import Foundation
import SocialTransport
import Synchronization

/// The module `echo` of the recorded sessions.
struct EchoModule: Sendable {
    /// Sources that were begun and have not been let go.
    final class Sources: Sendable {
        private let count = Mutex(0)
        private let begun = Mutex(0)

        var open: Int { count.withLock { $0 } }
        var ever: Int { begun.withLock { $0 } }

        fileprivate func begin() {
            count.withLock { $0 += 1 }
            begun.withLock { $0 += 1 }
        }

        fileprivate func end() { count.withLock { $0 -= 1 } }
    }

    /// Elements made one by one as they are asked for.
    struct Pulled: AsyncSequence, Sendable {
        final class Lease: Sendable {
            private let sources: Sources

            fileprivate init(_ sources: Sources) {
                self.sources = sources
                sources.begin()
            }

            deinit { sources.end() }
        }

        struct AsyncIterator: AsyncIteratorProtocol {
            fileprivate let lease: Lease
            fileprivate let make: @Sendable (Int) async throws -> Data?
            fileprivate var place = 0

            mutating func next() async throws -> Data? { try await next(isolation: nil) }

            mutating func next(isolation actor: isolated (any Actor)?) async throws(any Error) -> Data? {
                defer { place += 1 }
                return try await make(place)
            }
        }

        let sources: Sources
        let make: @Sendable (Int) async throws -> Data?

        func makeAsyncIterator() -> AsyncIterator { AsyncIterator(lease: Lease(sources), make: make) }
    }

    let sources = Sources()

    func pulled(_ make: @escaping @Sendable (Int) async throws -> Data?) -> RPCStream {
        Pulled(sources: sources, make: make)
    }

    /// Waits until its task is cancelled.
    static func never() async throws -> Data? {
        for await _ in AsyncStream<Void>.makeStream().stream {}
        throw CancellationError()
    }

    static func collect(_ stream: some AsyncSequence<Data, any Error>, atMost limit: Int = .max) async throws -> Data {
        var all = Data()
        var count = 0
        for try await element in stream {
            all += element
            count += 1
            if count == limit { break }
        }
        return all
    }

    static func double(_ stream: some AsyncSequence<Data, any Error> & Sendable) -> RPCStream {
        stream.map { $0 + [$0.first.map { $0 &* 2 } ?? 0] }
    }

    var module: RPCModule {
        RPCModule("echo", unary + streams + clientStreams + [RPCProcedure("stats", .unary { _ in Data() })])
    }

    private var unary: [RPCProcedure] {
        [
            RPCProcedure("basic", .unary { _ in Data([0, 1, 2]) }),
            RPCProcedure("returnEmpty", .unary { _ in Data() }),
            RPCProcedure("identity", .unary { $0.payload }),
            RPCProcedure("getPortId", .unary { Data([UInt8($0.port)]) }),
            RPCProcedure("failUnary", .unary { _ in throw RPCFailure("unary went wrong") }),
            RPCProcedure("failNoMessage", .unary { _ in throw RPCFailure("") }),
        ]
    }

    private var streams: [RPCProcedure] {
        [
            RPCProcedure("basicStream", .serverStream { _ in pulled { $0 < 4 ? Data([UInt8($0)]) : nil } }),
            RPCProcedure("emptyStream", .serverStream { _ in pulled { _ in nil } }),
            RPCProcedure("throwFirst", .serverStream { _ in pulled { _ in throw RPCFailure("safe error 1") } }),
            RPCProcedure(
                "throwSecond",
                .serverStream { _ in
                    pulled { place in
                        guard place == 0 else { throw RPCFailure("safe error 2") }
                        return Data([9])
                    }
                }),
            RPCProcedure(
                "infiniteCounter", .serverStream { _ in pulled { Data([UInt8(truncatingIfNeeded: $0 + 1)]) } }),
            // As the recorded one, whose second element comes late: this one's never comes.
            RPCProcedure(
                "ticker", .serverStream { _ in pulled { $0 == 0 ? Data([1]) : try await EchoModule.never() } }),
            RPCProcedure(
                "emptyItems", .serverStream { _ in pulled { $0 < 2 ? Data(repeating: 7, count: $0) : nil } }),
        ]
    }

    private var clientStreams: [RPCProcedure] {
        [
            RPCProcedure("clientStreamConsumedCompletely", .clientStream { try await EchoModule.collect($1) }),
            RPCProcedure("consumeTwo", .clientStream { try await EchoModule.collect($1, atMost: 2) }),
            RPCProcedure("neverOpensClientStream", .clientStream { _, _ in Data([123]) }),
            RPCProcedure("bidi", .bidirectional { EchoModule.double($1) }),
        ]
    }
}
