import AsyncHTTPClient
import Foundation
import NIOCore
import Testing

/// Each fault does what it says, seen by a plain HTTP client and a plain HTTP server.
struct `A faulty proxy` {
    /// A server that counts, a proxy in front of it, a client that keeps no connection for another request.
    private struct Bench {
        let server: PlainServer
        let proxy: FaultyProxy
        let client: HTTPClient

        static func set() async throws -> Bench {
            let server = try await PlainServer.start()
            return Bench(
                server: server, proxy: try await FaultyProxy.start(to: server.port),
                client: HTTPClient(eventLoopGroupProvider: .singleton))
        }

        /// The body of the answer; `nil` if there was no whole answer in time.
        func ask(_ body: String = "question", within timeout: TimeAmount = .seconds(20)) async -> String? {
            let url = "http://127.0.0.1:\(proxy.port)/"
            let reply = try? await client.ask(
                "PUT", url, headers: [("Connection", "close")], body: Array(body.utf8), timeout: timeout)
            return reply.flatMap { $0.status == 200 ? $0.text : nil }
        }

        func end() async throws {
            try await client.shutdown()
            await proxy.stop()
            try await server.stop()
        }
    }

    @Test func `without a fault passes everything, the large too`() async throws {
        let bench = try await Bench.set()
        let large = String(repeating: "0123456789", count: 100_000)
        #expect(await bench.ask(large) == large)
        #expect(await bench.ask() == "question")
        #expect(bench.server.taken == [large, "question"])
        #expect(bench.proxy.met == ["none": 2] && bench.proxy.accepted == 2)
        try await bench.end()
    }

    @Test func `refuses, and leaves unanswered, and nothing reaches the server`() async throws {
        let bench = try await Bench.set()
        bench.proxy.plan { _ in .refused }
        #expect(await bench.ask() == nil)
        bench.proxy.plan { _ in .unanswered }
        #expect(await bench.ask(within: .milliseconds(300)) == nil)
        #expect(bench.server.taken == [])
        bench.proxy.heal()
        #expect(await bench.ask() == "question")
        #expect(bench.proxy.met["refused", default: 0] >= 1 && bench.proxy.met["unanswered"] == 1)
        try await bench.end()
    }

    @Test(arguments: FaultyProxy.Direction.allCases)
    func `closes after so many bytes of a direction`(direction: FaultyProxy.Direction) async throws {
        let bench = try await Bench.set()
        for bytes in [0, 1, 40] {
            bench.proxy.plan { _ in .closed(afterBytes: bytes, direction) }
            #expect(await bench.ask() == nil)
        }
        // Only what was asked in whole was taken.
        #expect(bench.server.taken.count == (direction == .toServer ? 0 : 3))
        // A limit past the end cuts nothing.
        bench.proxy.plan { _ in .closed(afterBytes: 1_000_000, direction) }
        #expect(await bench.ask() == "question")
        try await bench.end()
    }

    @Test func `cuts the answer to a request that was taken`() async throws {
        let bench = try await Bench.set()
        for letThrough in [0, 30] {
            bench.proxy.plan { _ in .answerCut(flight: 1, letThrough: letThrough) }
            #expect(await bench.ask("cut \(letThrough)") == nil)
        }
        #expect(bench.server.taken == ["cut 0", "cut 30"])
        bench.proxy.plan { _ in .answerCut(flight: 2, letThrough: 0) }
        #expect(await bench.ask() == "question")
        try await bench.end()
    }

    @Test func `delays both directions`() async throws {
        let bench = try await Bench.set()
        bench.proxy.plan { _ in .delayed(.seconds(2)) }
        let began = ContinuousClock.now
        #expect(await bench.ask() == "question")
        #expect(ContinuousClock.now - began >= .seconds(4))
        try await bench.end()
    }

    @Test func `holds what one side says while the other is heard, and hands it over late`() async throws {
        let bench = try await Bench.set()
        bench.proxy.plan { _ in .held(.toServer) }
        #expect(await bench.ask("late", within: .milliseconds(500)) == nil)
        #expect(bench.server.taken == [])
        bench.proxy.heal()
        try await bench.server.waits(for: "late")

        bench.proxy.plan { _ in .held(.toClient) }
        #expect(await bench.ask("heard", within: .milliseconds(500)) == nil)
        try await bench.server.waits(for: "heard")

        bench.proxy.heal()
        bench.proxy.partition(.toServer)
        async let answer = bench.ask("patient")
        try await bench.server.waits("three came") { bench.proxy.accepted == 3 }
        #expect(!bench.server.taken.contains("patient"))
        bench.proxy.heal()
        #expect(await answer == "patient")
        try await bench.end()
    }

    @Test func `without a server behind it closes`() async throws {
        let bench = try await Bench.set()
        try await bench.server.stop()
        #expect(await bench.ask() == nil)
        try await bench.client.shutdown()
        await bench.proxy.stop()
    }

    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64]) func `in a storm shows every kind of fault`(seed: UInt64) {
        let storm = FaultyProxy.storm(seed: seed)
        for start in stride(from: 0, to: 80, by: 8) {
            let kinds = Set((start..<start + 8).map { storm($0).kind })
            #expect(kinds == ["refused", "unanswered", "closed", "delayed", "answer cut", "held"])
        }
        let again = FaultyProxy.storm(seed: seed)
        #expect((0..<60).allSatisfy { again($0) == storm($0) })
    }
}
