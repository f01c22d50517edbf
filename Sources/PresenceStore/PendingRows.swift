import FederationEngine
import PresenceEngine
import PresenceModel
import PresenceRuntime

/// Rows that are not on disk yet: the latest for each key, in the order in which the keys came.
///
/// Bounded by the number of keys (users, entries, members of rooms, promises, servers,
/// devices), not by the number of appends:
/// the engines' own bounds hold for it.
struct PendingRows: Sendable {
    /// What a row is found by in its table.
    private enum Key: Hashable, Sendable {
        case status(UserID)
        case deviceType(DeviceKey)
        case entry(observer: UserID, observed: UserID)
        case consent(observed: UserID, observer: UserID)
        case listSettings(UserID)
        case member(RoomID, UserID)
        case remote(UserID)
        case promiseGiven(UserID, to: ServerName)
        case promiseAsked(UserID)
        case peer(ServerName)
        case permission(isInvite: Bool, observed: UserID, observer: UserID)
        case syncCursors(DeviceKey)
        case room(RoomID)
        case refusedInvite(UserID, RoomID)
        case roomsListed

        init(_ record: PresenceInstance.Record) {
            switch record {
            case .presence(let record): self.init(record)
            case .federation(let record): self.init(record)
            case .syncCursors(let device, _): self = .syncCursors(device)
            case .homeserver(let record): self.init(record)
            }
        }

        private init(_ record: HomeserverRecord) {
            self =
                switch record {
                case .roomListed(let room, _), .roomForgotten(let room): .room(room)
                case .inviteRefused(let user, let room, _), .inviteSettled(let user, let room):
                    .refusedInvite(user, room)
                case .roomsListed: .roomsListed
                }
        }

        private init(_ record: PresenceEngine.Record) {
            self =
                switch record {
                case .status(let user, _): .status(user)
                case .deviceType(let device, _), .deviceTypeRemoved(let device): .deviceType(device)
                case .entry(let observer, let observed, _), .entryRemoved(let observer, let observed):
                    .entry(observer: observer, observed: observed)
                case .consent(let observed, let observer, _), .consentRemoved(let observed, let observer):
                    .consent(observed: observed, observer: observer)
                case .listSettings(let user, _): .listSettings(user)
                case .member(let room, let user), .memberRemoved(let room, let user): .member(room, user)
                case .remote(let user, _), .remoteRemoved(let user): .remote(user)
                }
        }

        private init(_ record: FederationEngine.Record) {
            self =
                switch record {
                case .promiseGiven(let user, let server, _), .promiseGivenEnded(let user, let server):
                    .promiseGiven(user, to: server)
                case .promiseAsked(let user, _), .promiseAskedEnded(let user): .promiseAsked(user)
                case .peer(let server, _), .peerForgotten(let server): .peer(server)
                case .permissionQueued(let message), .permissionDelivered(let message):
                    .permission(
                        isInvite: message.kind == .invite, observed: message.observed, observer: message.observer)
                }
        }
    }

    private(set) var records: [PresenceInstance.Record] = []
    private var numbers: [Key: Int] = [:]

    var isEmpty: Bool { records.isEmpty }
    var count: Int { records.count }

    mutating func append(_ later: [PresenceInstance.Record]) {
        for record in later {
            let key = Key(record)
            if let number = numbers[key] {
                records[number] = record
            } else {
                numbers[key] = records.count
                records.append(record)
            }
        }
    }

    /// Puts rows back that were taken out earlier: what came for a key since then wins.
    mutating func putBack(_ earlier: PendingRows) {
        let later = records
        self = earlier
        append(later)
    }
}
