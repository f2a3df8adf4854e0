import CUV

/// An object that libuv calls back: the owner of one or more libuv handles on one loop.
///
/// A handle's memory must live until its close callback has run (libuv docs, `uv_close`). So each handle holds a
/// retained reference to its owner in `data`, from `open` until the close callback, and the memory is freed there: a
/// callback can never meet an owner that is gone.
package class HandleOwner {
    /// The loop to which all handles of this owner belong.
    package let loop: Loop

    init(loop: Loop) {
        self.loop = loop
    }

    /// Makes a handle: allocates its memory, lets `initialize` call libuv's init function on it, and ties it to this
    /// owner. Throws what libuv answered, under the words of `action`.
    final func open<Handle>(
        _ type: uv_handle_type, as _: Handle.Type, _ action: @autoclosure () -> String,
        initialize: (UnsafeMutablePointer<uv_loop_t>, UnsafeMutablePointer<Handle>) -> Int32
    ) throws(LoopError) -> UnsafeMutablePointer<Handle> {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: uv_handle_size(type), alignment: 16)
        // SAFETY: the memory has the size that libuv states for this type, and a C struct needs no initialisation
        // before its init function.
        let handle = unsafe memory.bindMemory(to: Handle.self, capacity: 1)
        let status = unsafe initialize(loop.raw, handle)
        guard status == 0 else {
            unsafe memory.deallocate()
            throw LoopError(status: status, action())
        }
        let common = unsafe memory.assumingMemoryBound(to: uv_handle_t.self)
        unsafe common.pointee.data = Unmanaged.passRetained(self).toOpaque()
        return unsafe handle
    }

    /// Closes `handle`, once; `handleClosed` follows in a later turn of the loop, after which the memory is gone.
    final func close(_ handle: UnsafeMutableRawPointer) {
        // SAFETY: every handle type of libuv begins with the members of uv_handle_t.
        unsafe uv_close(handle.assumingMemoryBound(to: uv_handle_t.self), handleClosedCallback)
    }

    /// Makes `other` the owner of `handle` in place of this one.
    final func pass(_ handle: UnsafeMutableRawPointer, to other: HandleOwner) {
        let common = unsafe handle.assumingMemoryBound(to: uv_handle_t.self)
        unsafe common.pointee.data = Unmanaged.passRetained(other).toOpaque()
        // SAFETY: the balance of `open`, which retained this object for the handle.
        unsafe Unmanaged.passUnretained(self).release()
    }

    /// A handle of this owner has been closed and freed.
    func handleClosed() {}

    /// The loop ends: close every handle.
    func loopEnds() {}
}

@available(*, unavailable)
extension HandleOwner: Sendable {}

private let handleClosedCallback: uv_close_cb = { handle in
    guard let handle = unsafe handle else { return }
    // SAFETY: `data` is the reference that `open` retained; this callback runs once per handle, and libuv does not
    // touch the memory afterwards.
    let owner = unsafe Unmanaged<HandleOwner>.fromOpaque(handle.pointee.data).takeRetainedValue()
    unsafe UnsafeMutableRawPointer(handle).deallocate()
    owner.handleClosed()
}

/// The owner of `handle`, of the type that opened it.
///
/// SAFETY: `data` was set by `HandleOwner.open` to an object that libuv keeps alive until the close callback, and no
/// callback of a handle runs after that one. The class is the one whose method set the callback.
func owner<Owner: HandleOwner>(
    of handle: UnsafeMutablePointer<uv_handle_t>, as _: Owner.Type
) -> Owner {
    unsafe unsafeDowncast(
        Unmanaged<HandleOwner>.fromOpaque(handle.pointee.data).takeUnretainedValue(), to: Owner.self)
}
