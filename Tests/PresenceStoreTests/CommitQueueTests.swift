import PresenceEngine
import PresenceModel
import PresenceRuntime
import Testing

@testable import PresenceStore

/// The decisions of group commit, without a disk. Waiters are numbers.
final class CommitQueueTests {
    private var queue = CommitQueue<Int>()

    private func append(_ name: String, _ text: String = "t") throws -> Bool {
        queue.append([try status(name, text)])
    }

    private func join(_ waiter: Int) -> CommitQueue<Int>.Joining { queue.join(waiter) }
    private func take() -> PendingRows? { queue.take() }
    private func finish(failed: Bool) -> CommitQueue<Int>.Finish { queue.finish(failed: failed) }
    private func writeBehindElapsed() -> Bool { queue.writeBehindElapsed() }
    private func close() -> Bool { queue.close() }

    @Test func `the first to wait calls the writer, the others only join`() throws {
        #expect(try append("a"))
        #expect(join(1) == .waits(callsWriter: true))
        #expect(join(2) == .waits(callsWriter: false))
        #expect(take()?.count == 1)
        let finish = finish(failed: false)
        #expect(finish.waiters == [1, 2] && !finish.armsWriteBehind)
        #expect(take() == nil)
        #expect(join(3) == .settled)
    }

    @Test func `who comes while its rows are being written waits for that transaction`() throws {
        _ = try append("a")
        _ = join(1)
        _ = take()
        #expect(join(2) == .waits(callsWriter: false))
        #expect(finish(failed: true).waiters == [1, 2])
    }

    @Test func `who appends while a transaction runs waits for the next`() throws {
        _ = try append("a")
        _ = join(1)
        _ = take()
        _ = try append("b")
        #expect(join(2) == .waits(callsWriter: false))
        #expect(queue.pendingRows == 2)
        #expect(finish(failed: false).waiters == [1])
        #expect(take()?.count == 1)
        #expect(finish(failed: false).waiters == [2])
    }

    @Test func `rows of a failed transaction join the next group, and later ones win`() throws {
        _ = try append("a", "old")
        _ = try append("b", "kept")
        _ = join(1)
        _ = take()
        _ = try append("a", "new")
        _ = join(2)
        #expect(finish(failed: true).waiters == [1])
        #expect(try take()?.records == [status("a", "new"), status("b", "kept")])
    }

    @Test func `rows that nobody waits for are left to the write-behind, which is armed once`() throws {
        #expect(try append("a"))
        #expect(try !append("b"))
        #expect(take() == nil)
        #expect(writeBehindElapsed())
        #expect(take()?.count == 2)
        #expect(!writeBehindElapsed())
        _ = finish(failed: false)
        #expect(try append("c"))
    }

    @Test func `a failure with nobody left to ask arms the write-behind`() throws {
        _ = try append("a")
        _ = writeBehindElapsed()
        _ = take()
        #expect(finish(failed: true).armsWriteBehind)
        #expect(take() == nil)
        #expect(writeBehindElapsed())
        #expect(take()?.count == 1)
    }

    @Test func `a write-behind that is over during a transaction is not forgotten`() throws {
        _ = try append("a")
        _ = join(1)
        _ = take()
        _ = try append("b")
        #expect(!writeBehindElapsed())
        _ = finish(failed: false)
        #expect(take()?.count == 1)
    }

    @Test func `an early or doubled write-behind does no harm`() throws {
        #expect(!writeBehindElapsed())
        #expect(take() == nil)
        _ = try append("a")
        #expect(writeBehindElapsed())
        #expect(!writeBehindElapsed())
        #expect(take()?.count == 1)
    }

    @Test func `it closes only when everything is on disk, and then takes nothing`() throws {
        _ = try append("a")
        #expect(!close())
        _ = join(1)
        _ = take()
        #expect(!close())
        _ = finish(failed: false)
        #expect(close())
        #expect(join(2) == .settled)
        #expect(try !append("b"))
        #expect(join(3) == .closed)
        #expect(queue.pendingRows == 0)
    }

    @Test func `pending rows are bounded by keys, not by appends`() throws {
        for number in 0..<10_000 { _ = try append("u\(number % 7)", "\(number)") }
        #expect(queue.pendingRows == 7)
    }

    @Test func `a removed row waits in the place of its row`() throws {
        let (a, b) = (try user("@a:x"), try user("@b:y"))
        let device = DeviceKey(user: a, device: try DeviceID(parsing: "D"))
        let consent = StoredConsent(state: .blocked, since: instant(1))
        let remote = StoredRemote(presence: .neverActive, goodUntil: nil)
        let pairs: [(put: PresenceInstance.Record, removed: PresenceInstance.Record)] = [
            (try entry("@a:x", "@b:y"), .presence(.entryRemoved(observer: a, observed: b))),
            (
                .presence(.consent(observed: a, observer: b, consent)),
                .presence(.consentRemoved(observed: a, observer: b))
            ),
            (
                .presence(.deviceType(device, try DeviceType(parsing: "web"))),
                .presence(.deviceTypeRemoved(device))
            ),
            (.presence(.member(try room("!r:x"), a)), .presence(.memberRemoved(try room("!r:x"), a))),
            (.presence(.remote(b, remote)), .presence(.remoteRemoved(b))),
            (
                .federation(.promiseGiven(a, to: b.server, until: instant(1))),
                .federation(.promiseGivenEnded(a, to: b.server))
            ),
            (.federation(.promiseAsked(b, until: nil)), .federation(.promiseAskedEnded(b))),
        ]
        _ = queue.append(pairs.map(\.put))
        _ = queue.append(pairs.map(\.removed))
        _ = join(1)
        #expect(take()?.records == pairs.map(\.removed))
    }

    @Test func `an accept and a deny of one pair are one row, an invite is another`() throws {
        let (a, b) = (try user("@a:x"), try user("@b:y"))
        let invite = PermissionMessage(.invite, observed: a, observer: b, request: 1)
        let accept = PermissionMessage(.accept, observed: a, observer: b, request: 1)
        let deny = PermissionMessage(.deny, observed: a, observer: b)
        let back = PermissionMessage(.accept, observed: b, observer: a)
        _ = queue.append([invite, accept, back, deny].map { .federation(.permissionQueued($0)) })
        _ = join(1)
        #expect(take()?.records == [invite, deny, back].map { .federation(.permissionQueued($0)) })
    }
}
