import PresenceEngine
import PresenceModel
import PresenceRuntime
import Testing

@Suite struct `Cursors of syncs` {
    private typealias Position = PresenceRuntime.StreamPosition

    private func device(_ name: String) throws -> DeviceKey {
        DeviceKey(user: try UserID(parsing: "@a:h"), device: try DeviceID(parsing: name))
    }

    private func mark(_ number: UInt64) -> SyncCursors.Mark { SyncCursors.Mark(high: 7, low: number) }

    private func position(_ version: UInt64) -> Position {
        Position(boot: 1, reached: PresenceEngine.Position(version: version, own: version))
    }

    @Test func `tell a token that is known from one that is not, and a new device from an old one`() throws {
        var cursors = SyncCursors(limit: 10)
        let (phone, web) = (try device("PHONE"), try device("WEB"))
        #expect(cursors.finding(of: phone, mark(1)) == .neverTold)
        #expect(cursors.advance(phone, mark(1), to: position(5)).count == 1)
        #expect(cursors.finding(of: phone, mark(1)) == .told(position(5)))
        #expect(cursors.finding(of: phone, mark(2)) == .toldElsewhere)
        #expect(cursors.finding(of: web, mark(1)) == .neverTold)
    }

    @Test func `keep a few tokens of a device, the latest, and of one token the latest position`() throws {
        var cursors = SyncCursors(limit: 10)
        let phone = try device("PHONE")
        for number in 1...UInt64(SyncCursors.perDevice) {
            _ = cursors.advance(phone, mark(number), to: position(number))
        }
        // Nothing happened: the homeserver gives the same token again.
        _ = cursors.advance(phone, mark(1), to: position(20))
        _ = cursors.advance(phone, mark(99), to: position(21))
        #expect(cursors.finding(of: phone, mark(1)) == .told(position(20)))
        #expect(cursors.finding(of: phone, mark(2)) == .toldElsewhere)
        #expect(cursors.finding(of: phone, mark(3)) == .told(position(3)))
        #expect(cursors.finding(of: phone, mark(99)) == .told(position(21)))
    }

    @Test func `go back to where they were when the answer did not arrive`() throws {
        var cursors = SyncCursors(limit: 10)
        let phone = try device("PHONE")
        _ = cursors.advance(phone, mark(1), to: position(1))
        _ = cursors.advance(phone, mark(1), to: position(2))
        #expect(cursors.takeBack(phone, mark(1), to: position(1)).count == 1)
        #expect(cursors.finding(of: phone, mark(1)) == .told(position(1)))
        _ = cursors.advance(phone, mark(2), to: position(2))
        _ = cursors.takeBack(phone, mark(2), to: nil)
        #expect(cursors.finding(of: phone, mark(2)) == .toldElsewhere)
        #expect(cursors.takeBack(phone, mark(3), to: nil).isEmpty)
        #expect(cursors.takeBack(phone, mark(1), to: nil) == [.syncCursors(phone, [])])
        #expect(cursors.finding(of: phone, mark(1)) == .neverTold)
    }

    @Test func `are saved only when they change`() throws {
        var cursors = SyncCursors(limit: 10)
        let phone = try device("PHONE")
        #expect(cursors.advance(phone, mark(1), to: position(1)).count == 1)
        #expect(cursors.advance(phone, mark(1), to: position(1)).isEmpty)
        #expect(cursors.advance(phone, mark(1), to: position(2)).count == 1)
    }

    @Test func `forget the device that was told longest ago`() throws {
        var cursors = SyncCursors(limit: 3)
        let names = ["A", "B", "C", "D"]
        for name in names.prefix(3) { _ = cursors.advance(try device(name), mark(1), to: position(1)) }
        _ = cursors.advance(try device("A"), mark(1), to: position(1))
        let records = cursors.advance(try device("D"), mark(1), to: position(1))
        #expect(records.last == .syncCursors(try device("B"), []))
        #expect(cursors.count == 3)
        #expect(cursors.finding(of: try device("B"), mark(1)) == .neverTold)
        #expect(cursors.finding(of: try device("A"), mark(1)) == .told(position(1)))
    }

    @Test func `come back as they were saved`() throws {
        let saved = try (0..<5).map { number in
            (
                key: try device("D\(number)"),
                cursors: [SyncCursors.Cursor(mark: mark(UInt64(number)), position: position(9))]
            )
        }
        let cursors = SyncCursors(limit: 4, restoring: saved)
        #expect(cursors.count == 4)
        #expect(cursors.finding(of: try device("D4"), mark(4)) == .told(position(9)))
        #expect(cursors.finding(of: try device("D0"), mark(0)) == .neverTold)
    }

    /// Against the plainest means: a list of everything ever told.
    @Test(arguments: 1...5 as ClosedRange<UInt64>) func `agree with a plain list`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var cursors = SyncCursors(limit: 20)
        var order: [DeviceKey] = []
        var told: [DeviceKey: [SyncCursors.Cursor]] = [:]
        for step in 0..<5000 {
            let key = try device("D\(Int.random(in: 0..<30, using: &random))")
            let mark = mark(UInt64.random(in: 0..<10, using: &random))
            if Int.random(in: 0..<20, using: &random) == 0 {
                _ = cursors.takeBack(key, mark, to: nil)
                told[key]?.removeAll { $0.mark == mark }
                if told[key]?.isEmpty == true {
                    told[key] = nil
                    order.removeAll { $0 == key }
                }
            } else {
                _ = cursors.advance(key, mark, to: position(UInt64(step)))
                var list = told[key, default: []].filter { $0.mark != mark }
                list.append(SyncCursors.Cursor(mark: mark, position: position(UInt64(step))))
                told[key] = list.suffix(SyncCursors.perDevice)
                order.removeAll { $0 == key }
                order.append(key)
                if order.count > 20 { told[order.removeFirst()] = nil }
            }
            #expect(cursors.count == told.count)
            let other = try device("D\(Int.random(in: 0..<30, using: &random))")
            let finding = cursors.finding(of: other, mark)
            guard let list = told[other] else {
                #expect(finding == .neverTold)
                continue
            }
            #expect(finding == list.first { $0.mark == mark }.map { .told($0.position) } ?? .toldElsewhere)
        }
    }
}
