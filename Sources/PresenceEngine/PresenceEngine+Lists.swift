import PresenceModel

// Presence lists: whom a user wants to see. Design: section 3, presence list.
extension PresenceEngine {
    mutating func handleList(_ event: Event, at now: Instant, into effects: inout [Effect]) {
        guard refusal(of: event) == nil else { return }
        switch event {
        case .entryAdded(let observer, let observed, let note, let acl):
            addEntry(observer, observed, note: note, acl: acl, asksAnyway: false, at: now, into: &effects)
        case .requestRelayed(let observer, let observed, let note):
            let before = entry(of: observer, for: observed)
            addEntry(
                observer, observed, note: note ?? before?.note, acl: before?.acl, asksAnyway: true, at: now,
                into: &effects)
        case .consentRelayed(let observed, let observer):
            grant(observed, observer, at: now, into: &effects)
        case .entryRemoved(let observer, let observed):
            removeEntry(observer, observed, into: &effects)
        case .requestAccepted(let observed, let observer):
            grant(observed, observer, at: now, into: &effects)
        case .requestDenied(let observed, let observer):
            deny(observed, observer, as: nil, at: now, into: &effects)
        case .userBlocked(let observed, let observer):
            deny(observed, observer, as: .blocked, at: now, into: &effects)
        case .userUnblocked(let observed, let observer):
            unblock(observed, observer, into: &effects)
        case .permissionReceived(let message):
            take(message, at: now, into: &effects)
        default:
            handleGroup(event, into: &effects)
        }
    }

    private mutating func addEntry(
        _ observer: UserID, _ observed: UserID, note: String?, acl: String?, asksAnyway: Bool, at now: Instant,
        into effects: inout [Effect]
    ) {
        let watcher = internLocal(observer)
        users[watcher].isKnown = true
        let target = intern(observed)
        let before = relations[watcher]?.entry(for: target)
        var entry = before ?? StoredEntry(state: .pending, request: 0, since: now)
        entry.note = note
        entry.acl = acl
        if before == nil { relate(target) { $0.listed += 1 } }
        if before?.state != .accepted {
            entry.request = max(entry.request + 1, now.millisecondsSinceEpoch)
            if before?.state != .pending {
                entry.state = .pending
                entry.since = now
            }
        }
        setEntry(entry, watcher, target, into: &effects)
        if before?.state != .accepted {
            ask(watcher, target, entry, anyway: asksAnyway, at: now, into: &effects)
        }
        // Who wants to see someone lets themself be seen by them, if that is asked already.
        if configuration.grantsMutually, relations[watcher]?.consent(for: target)?.state == .requested {
            grant(observer, observed, at: now, into: &effects)
        }
    }

    private mutating func ask(
        _ watcher: Int, _ target: Int, _ entry: StoredEntry, anyway: Bool, at now: Instant,
        into effects: inout [Effect]
    ) {
        let (observer, observed) = (profiles[watcher].id, profiles[target].id)
        guard users[target].isLocal else {
            effects.append(
                .permission(
                    PermissionMessage(
                        .invite, observed: observed, observer: observer, request: entry.request, note: entry.note)))
            return
        }
        let decision = decide(target, about: watcher, of: server)
        switch decision == .blocked && anyway && mayBeAsked(target, by: watcher) ? .requested : decision {
        case .granted: grant(observed, observer, at: now, into: &effects)
        case .blocked:
            moveEntry(watcher, target, to: .denied, at: now, into: &effects)
            dropRequest(to: target, watcher, into: &effects)
        case .requested:
            setConsent(
                StoredConsent(state: .requested, request: entry.request, since: now, note: entry.note), target,
                watcher, into: &effects)
        }
    }

    /// Entries that came out of the watch lists of earlier versions were never asked for.
    mutating func askForMigratedEntries(of number: Int, at now: Instant, into effects: inout [Effect]) {
        guard users[number].isLocal, users[number].hasRelations else { return }
        for entry in relations[number]?.entries ?? []
        where entry.stored.state == .pending && entry.stored.since == .epoch {
            ask(number, entry.target, entry.stored, anyway: false, at: now, into: &effects)
        }
    }

    private mutating func removeEntry(_ observer: UserID, _ observed: UserID, into effects: inout [Effect]) {
        guard let watcher = number(of: observer), let target = number(of: observed),
            let entry = relations[watcher]?.entry(for: target)
        else { return }
        setEntry(nil, watcher, target, into: &effects)
        relate(target) { $0.listed -= 1 }
        if users[target].isLocal {
            dropRequest(to: target, watcher, into: &effects)
        } else {
            if entry.state == .pending {
                effects.append(
                    .permissionWithdrawn(
                        PermissionMessage(.invite, observed: observed, observer: observer, request: entry.request)))
            }
            forgetIfUnneeded(target, into: &effects)
        }
        releaseIfUnneeded(target)
    }

    /// Moves an entry that is there to another state; nothing if it stands there already.
    mutating func moveEntry(
        _ watcher: Int, _ target: Int, to state: EntryState, at now: Instant, into effects: inout [Effect]
    ) {
        guard var entry = relations[watcher]?.entry(for: target), entry.state != state else { return }
        entry.state = state
        entry.since = now
        setEntry(entry, watcher, target, into: &effects)
    }

    /// Sets, or with `nil` removes, an entry; streams, watchers and interest follow.
    private mutating func setEntry(
        _ entry: StoredEntry?, _ watcher: Int, _ target: Int, into effects: inout [Effect]
    ) {
        let (observer, observed) = (profiles[watcher].id, profiles[target].id)
        effects.append(
            .save(
                entry.map { .entry(observer: observer, observed: observed, $0) }
                    ?? .entryRemoved(observer: observer, observed: observed)))
        changing(target, for: watcher, into: &effects) { engine, _ in
            engine.relate(watcher) { $0.setEntry(entry, for: target) }
            engine.relate(target) { related in
                if entry?.state == .accepted {
                    related.watchers.insertSorted(watcher)
                } else {
                    related.watchers.removeSorted(watcher)
                }
            }
        }
        if !users[target].isLocal { recountInterest(of: watcher, into: &effects) }
    }
}
