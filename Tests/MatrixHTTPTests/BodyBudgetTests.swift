import HTTPTypes
import HummingbirdCore
import MatrixWire
import NIOCore
import PresenceModel
import Testing

@testable import MatrixHTTP

struct `Room for bodies` {
    private static let small = BodyBudget<String>.smallBytes

    private func takes(_ share: BodyBudget<String>.Share, _ count: Int) -> Bool {
        do throws(MatrixErrorBody) {
            try share.take(count)
            return true
        } catch {
            #expect(error.status == 429 && error.code == .limitExceeded && error.retryAfterMilliseconds != nil)
            return false
        }
    }

    @Test func `is one pot for small ones and another for the rest, of which nobody has more than a share`() {
        let small = `Room for bodies`.small
        let budget = BodyBudget<String>(limits: .init(small: 3 * small, large: 3000, largePerKey: 2000))
        let (first, second, third) = (budget.open(for: "a"), budget.open(for: "a"), budget.open(for: "b"))
        #expect(takes(first, small + 1500) && budget.used == (small, 1500))
        // Somebody's large bodies, sent by whoever, leave room for their small ones.
        #expect(takes(second, small) && !takes(second, 501) && takes(second, 500))
        #expect(takes(third, 10) && takes(third, small - 10 + 1000) && !takes(third, 1))
        #expect(budget.used == (3 * small, 3000))
        #expect(!takes(budget.open(for: "c"), 1))
        first.close()
        #expect(budget.used == (2 * small, 1500) && takes(budget.open(for: "c"), 1))
        for share in [first, second, third] { share.close() }
        #expect(budget.used == (1, 0))
    }

    @Test func `is taken as bytes come, and refused in the middle of a body`() async throws {
        let budget = BodyBudget<String>(limits: .init(small: 100, large: 0, largePerKey: 0))
        func read(_ parts: [Int], announcing: Int? = nil) async -> String {
            let share = budget.open(for: "a")
            defer { share.close() }
            var head = HTTPRequest(method: .put, scheme: "http", authority: "x.org", path: "/")
            head.headerFields[.contentLength] = announcing.map { "\($0)" }
            let stream = RequestBody(
                asyncSequence: AsyncStream { continuation in
                    for part in parts { continuation.yield(ByteBuffer(repeating: 0x20, count: part)) }
                    continuation.finish()
                })
            do throws(MatrixErrorBody) {
                let request = MatrixRequest(Request(head: head, body: stream))
                return "\(try await request.bodyBytes(limit: 1000, within: share).count)"
            } catch {
                return "\(error.status)"
            }
        }
        #expect(await read([60, 40]) == "100")
        #expect(await read([60, 41]) == "429")
        #expect(await read([], announcing: 1000) == "0")
        #expect(await read([], announcing: 1001) == "413")
        #expect(budget.used == (0, 0))
    }
}

struct `A rate` {
    @Test func `lets a burst through, then one at a time`() throws {
        let instants = [0, 0, 0, 100, 500, 1000].map { Instant(millisecondsSinceEpoch: $0) }
        let clock = Steps(instants)
        let rate = RequestRate<String>(perSecond: 2, burst: 2, now: { clock.next })
        var waits: [Int64?] = []
        for _ in instants {
            do throws(MatrixErrorBody) {
                try rate.take(for: "a")
                waits.append(nil)
            } catch {
                waits.append(error.retryAfterMilliseconds)
            }
        }
        #expect(waits == [nil, nil, 500, 400, nil, nil])
        try RequestRate<String>(perSecond: 0, burst: 1, now: { Instant.epoch }).take(for: "a")
    }
}
