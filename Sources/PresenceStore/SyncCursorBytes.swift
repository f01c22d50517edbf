import Foundation
import PresenceEngine
import PresenceRuntime

/// One device's cursors as one column: of each, the oldest first, five numbers of eight bytes, the highest byte first: the
/// mark's halves, then boot, version and own revision of the position.
enum SyncCursorBytes {
    private static let cursorBytes = 40

    static func encode(_ cursors: [SyncCursors.Cursor]) -> Data {
        var bytes = Data(capacity: cursors.count * cursorBytes)
        for cursor in cursors {
            let reached = cursor.position.reached
            for number in [cursor.mark.high, cursor.mark.low, cursor.position.boot, reached.version, reached.own] {
                withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
            }
        }
        return bytes
    }

    /// - Returns: `nil` for anything else than ``encode(_:)`` makes.
    static func decode(_ data: Data) -> [SyncCursors.Cursor]? {
        let bytes = [UInt8](data)
        guard bytes.count % cursorBytes == 0, bytes.count <= cursorBytes * SyncCursors.perDevice else { return nil }
        return stride(from: 0, to: bytes.count, by: cursorBytes).map { start in
            func number(_ place: Int) -> UInt64 {
                bytes[start + place * 8..<start + place * 8 + 8].reduce(0) { $0 << 8 | UInt64($1) }
            }
            return SyncCursors.Cursor(
                mark: SyncCursors.Mark(high: number(0), low: number(1)),
                position: PresenceRuntime.StreamPosition(
                    boot: number(2), reached: PresenceEngine.Position(version: number(3), own: number(4))))
        }
    }
}
