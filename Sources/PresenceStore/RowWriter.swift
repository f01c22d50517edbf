import FederationEngine
import Foundation
import GRDB
import PresenceEngine
import PresenceModel
import PresenceRuntime

/// Writes records as rows, inside a transaction of the caller. Statements are looked up once per transaction.
struct RowWriter {
    private let database: Database
    private var statements: [Statement?] = Array(repeating: nil, count: Sentence.allCases.count)

    init(_ database: Database) { self.database = database }

    mutating func write(_ record: PresenceInstance.Record) throws {
        switch record {
        case .presence(let record): try write(record)
        case .federation(let record): try write(record)
        case .syncCursors(let device, []):
            try execute(.removeCursors, [device.user.text, device.device.text])
        case .syncCursors(let device, let cursors):
            try execute(.putCursors, [device.user.text, device.device.text, SyncCursorBytes.encode(cursors)])
        case .homeserver(let record): try write(record)
        }
    }

    private mutating func write(_ record: PresenceEngine.Record) throws {
        switch record {
        case .status(let user, let status): try write(status, of: user)
        case .deviceType(let key, let type):
            try execute(.putDeviceType, [key.user.text, key.device.text, type.text])
        case .deviceTypeRemoved(let key): try execute(.removeDeviceType, [key.user.text, key.device.text])
        case .entry(let observer, let observed, let entry):
            try execute(
                .putEntry,
                [
                    observer.text, observed.text, entry.state.rawValue, entry.request, milliseconds(entry.since),
                    bindable(entry.note), bindable(entry.acl), Int64(bitPattern: entry.groups),
                ])
        case .entryRemoved(let observer, let observed): try execute(.removeEntry, [observer.text, observed.text])
        case .consent(let observed, let observer, let consent):
            try execute(
                .putConsent,
                [
                    observed.text, observer.text, consent.state.rawValue, consent.request,
                    milliseconds(consent.since), bindable(consent.note),
                ])
        case .consentRemoved(let observed, let observer): try execute(.removeConsent, [observed.text, observer.text])
        case .listSettings(let user, let settings): try write(settings, of: user)
        case .member(let room, let user): try execute(.putMember, [room.text, user.text])
        case .memberRemoved(let room, let user): try execute(.removeMember, [room.text, user.text])
        case .remote(let user, let remote):
            let presence = remote.presence
            try execute(
                .putRemote,
                [
                    user.text, presence.state.rawValue, bindable(presence.statusText),
                    milliseconds(presence.lastActive), presence.deviceType?.text, milliseconds(remote.goodUntil),
                ])
        case .remoteRemoved(let user): try execute(.removeRemote, [user.text])
        }
    }

    private mutating func write(_ status: StoredStatus, of user: UserID) throws {
        var (replacesText, text) = (false, String?.none)
        if case .replaced(let replacement)? = status.override?.text { (replacesText, text) = (true, replacement) }
        try execute(
            .putStatus,
            [
                user.text, status.chosen.rawValue, bindable(status.statusText), milliseconds(status.lastActive),
                milliseconds(status.lastSeen), status.isConnected, status.override?.state.rawValue, replacesText,
                bindable(text), milliseconds(status.override?.until), status.isIdle, bindable(status.shownText),
                milliseconds(status.shownLastActive),
            ])
    }

    private mutating func write(_ settings: StoredListSettings, of user: UserID) throws {
        let contact = settings.contact
        try execute(
            .putSettings,
            [
                user.text, settings.policy?.rawValue, contact.freeForChat.stored, contact.online.stored,
                contact.busy.stored, contact.unavailable.stored, contact.offline.stored, contact.refusesInvites,
            ])
        try execute(.removeGroups, [user.text])
        for group in settings.groups {
            precondition(group.slot < 64, "no slot of a group: \(group.slot)")
            try execute(.putGroup, [user.text, group.name.text, Int64(group.slot)])
        }
    }

    private mutating func write(_ record: FederationEngine.Record) throws {
        switch record {
        case .promiseGiven(let user, let server, let until):
            try execute(.putGiven, [user.text, server.text, milliseconds(until)])
        case .promiseGivenEnded(let user, let server): try execute(.removeGiven, [user.text, server.text])
        case .promiseAsked(let user, let until): try execute(.putAsked, [user.text, milliseconds(until)])
        case .promiseAskedEnded(let user): try execute(.removeAsked, [user.text])
        case .peer(let server, let memory):
            try execute(
                .putPeer,
                [
                    server.text, memory.dialect.rawValue, Int64(max(memory.failures, 0)),
                    milliseconds(memory.retryAt), milliseconds(memory.silentSince),
                ])
        case .peerForgotten(let server): try execute(.removePeer, [server.text])
        case .permissionQueued(let message):
            try execute(
                .putPermission,
                [
                    message.kind == .invite, message.observed.text, message.observer.text, message.kind.rawValue,
                    message.request, bindable(message.note),
                ])
        case .permissionDelivered(let message):
            try execute(
                .removePermission, [message.kind == .invite, message.observed.text, message.observer.text])
        }
    }

    private mutating func write(_ record: HomeserverRecord) throws {
        switch record {
        case .roomListed(let room, let listed): try execute(.putRoom, [room.text, milliseconds(listed)])
        case .roomForgotten(let room): try execute(.removeRoom, [room.text])
        case .inviteRefused(let user, let room, let since):
            try execute(.putInvite, [user.text, room.text, milliseconds(since)])
        case .inviteSettled(let user, let room): try execute(.removeInvite, [user.text, room.text])
        case .roomsListed(let instant): try execute(.putRoomsListed, [milliseconds(instant)])
        }
    }

    private mutating func execute(_ sentence: Sentence, _ arguments: StatementArguments) throws {
        let statement = try statements[sentence.rawValue] ?? database.cachedStatement(sql: sentence.sql)
        statements[sentence.rawValue] = statement
        try statement.execute(arguments: arguments)
    }

    /// GRDB hands texts to SQLite up to their first NUL; such a text goes as bytes, and becomes text in the statement.
    private func bindable(_ text: String?) -> (any DatabaseValueConvertible)? {
        guard let text, text.utf8.contains(0) else { return text }
        return Data(text.utf8)
    }

    /// Within the axis, so that no row can break a constraint and hold up all others.
    private func milliseconds(_ instant: Instant?) -> Int64? {
        instant.map { max(0, min($0, .distantFuture).millisecondsSinceEpoch) }
    }
}

extension RowWriter {
    private enum Sentence: Int, CaseIterable {
        case putStatus, putDeviceType, removeDeviceType, putEntry, removeEntry, putConsent, removeConsent
        case putSettings, removeGroups, putGroup, putMember, removeMember, putRemote, removeRemote
        case putGiven, removeGiven, putAsked, removeAsked, putPeer, removePeer
        case putPermission, removePermission, putCursors, removeCursors
        case putRoom, removeRoom, putInvite, removeInvite, putRoomsListed

        // The cast: a text with a NUL comes as bytes, see `bindable(_:)`.
        var sql: String {
            switch self {
            case .putStatus:
                """
                INSERT OR REPLACE INTO local_status (user, chosen, status_text, last_active, last_seen, is_connected,
                    override_state, override_replaces_text, override_text, override_until, is_idle, shown_text,
                    shown_last_active)
                VALUES (?, ?, CAST(? AS TEXT), ?, ?, ?, ?, ?, CAST(? AS TEXT), ?, ?, CAST(? AS TEXT), ?)
                """
            case .putDeviceType: "INSERT OR REPLACE INTO device_type (user, device, type) VALUES (?, ?, ?)"
            case .removeDeviceType: "DELETE FROM device_type WHERE user = ? AND device = ?"
            case .putEntry:
                """
                INSERT OR REPLACE INTO list_entry (observer, observed, state, request, since, note, acl, groups)
                VALUES (?, ?, ?, ?, ?, CAST(? AS TEXT), CAST(? AS TEXT), ?)
                """
            case .removeEntry: "DELETE FROM list_entry WHERE observer = ? AND observed = ?"
            case .putConsent:
                """
                INSERT OR REPLACE INTO consent (observed, observer, state, request, since, note)
                VALUES (?, ?, ?, ?, ?, CAST(? AS TEXT))
                """
            case .removeConsent: "DELETE FROM consent WHERE observed = ? AND observer = ?"
            case .putSettings:
                """
                INSERT OR REPLACE INTO list_settings (user, policy, contact_free_for_chat, contact_online,
                    contact_busy, contact_unavailable, contact_offline, contact_refuses_invites)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """
            case .removeGroups: "DELETE FROM list_group WHERE owner = ?"
            case .putGroup: "INSERT OR REPLACE INTO list_group (owner, name, slot) VALUES (?, ?, ?)"
            case .putMember: "INSERT OR REPLACE INTO room_member (room, user) VALUES (?, ?)"
            case .removeMember: "DELETE FROM room_member WHERE room = ? AND user = ?"
            case .putRemote:
                """
                INSERT OR REPLACE INTO remote_presence (user, state, status_text, last_active, device_type, good_until)
                VALUES (?, ?, CAST(? AS TEXT), ?, ?, ?)
                """
            case .removeRemote: "DELETE FROM remote_presence WHERE user = ?"
            case .putGiven: "INSERT OR REPLACE INTO promise_given (user, server, until) VALUES (?, ?, ?)"
            case .removeGiven: "DELETE FROM promise_given WHERE user = ? AND server = ?"
            case .putAsked: "INSERT OR REPLACE INTO promise_asked (user, until) VALUES (?, ?)"
            case .removeAsked: "DELETE FROM promise_asked WHERE user = ?"
            case .putPeer:
                """
                INSERT OR REPLACE INTO peer (server, dialect, failures, retry_at, silent_since) VALUES (?, ?, ?, ?, ?)
                """
            case .removePeer: "DELETE FROM peer WHERE server = ?"
            case .putPermission:
                """
                INSERT OR REPLACE INTO permission (is_invite, observed, observer, kind, request, note)
                VALUES (?, ?, ?, ?, ?, CAST(? AS TEXT))
                """
            case .putRoom: "INSERT OR REPLACE INTO listed_room (room, listed) VALUES (?, ?)"
            case .removeRoom: "DELETE FROM listed_room WHERE room = ?"
            case .putInvite: "INSERT OR REPLACE INTO refused_invite (user, room, since) VALUES (?, ?, ?)"
            case .removeInvite: "DELETE FROM refused_invite WHERE user = ? AND room = ?"
            case .putRoomsListed: "INSERT OR REPLACE INTO meta (key, value) VALUES ('rooms_listed', ?)"
            case .removePermission: "DELETE FROM permission WHERE is_invite = ? AND observed = ? AND observer = ?"
            case .putCursors: "INSERT OR REPLACE INTO sync_cursor (user, device, cursors) VALUES (?, ?, ?)"
            case .removeCursors: "DELETE FROM sync_cursor WHERE user = ? AND device = ?"
            }
        }
    }
}
