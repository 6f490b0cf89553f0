"""The verbs of other tools, and nsunit's that do the same: what is answered to who types one, and the manual's list.

A row has verbs, with blanks between them, and what to use; without that it is nsunit's verb of the same name, or what
`foreign` answers to it.  Loaded for an error only.
"""

from __future__ import annotations

_SHELL = "'nsunit exec -ti NAME sh'"
_SAME = ""  # the verb is nsunit's, or has a row in `foreign`
_NO_MEMORY = "nothing: the memory of processes is not written to disk; 'nsunit pause NAME' keeps it"
_COMMIT = "'nsunit commit NAME IMAGE' keeps what it has written, and 'nsunit image history' lists it"
_QUOTA = "'nsunit volume create --size=SIZE NAME', for data"
_TOGETHER = "'nsunit start NAME1 NAME2', or a pattern: 'nsunit start web-*'"
_MOVE = "'nsunit export NAME FILE', and 'nsunit import FILE' on the other host"

# By the tool: verbs of it, as they are typed behind its name, or programs of it.
TOOLS: dict[str, dict[str, str]] = {
    "docker, podman": {
        "attach build commit compose cp diff events exec generate history images info inspect kill kube load login logs"
        " pause pod port ps pull push rename restart rm rmi run save search start stats stop system tag top unpause"
        " version wait auto-update mount network init unshare": _SAME,
        "create": "'nsunit create NAME', or 'nsunit import run' with its whole command line",
        "export": "'nsunit export NAME FILE', with the definition; 'nsunit mount NAME' for the root alone",
        "import": "'nsunit image import FILE'",
        "update": "'nsunit set NAME KEY=VALUE', and --persist for good",
        "volume": "'nsunit volume list' and its like",
        "container": "the verbs without it",
        "image": "'nsunit image list' and its like",
        "checkpoint restore": _NO_MEMORY,
        "clone": "'nsunit clone NAME NEW'",
        "exists": "'nsunit inspect NAME', which exits with 1 where there is none",
        "healthcheck": "'nsunit status NAME' has the last checks",
        "logout": "skopeo logout, of who has logged in by it",
        "manifest buildx": "buildah manifest, and 'nsunit image import DIR'",
        "prune": "'nsunit prune'",
        "quadlet": "'nsunit import quadlet' and 'nsunit list'",
        "secret": "systemd-creds encrypt, and Secret= in the definition",
        "umount unmount": "'nsunit umount NAME'",
        "untag": "'nsunit image rm IMAGE', which takes a name first",
        "context swarm service stack node plugin machine": "nothing: there is no daemon, and each host has its own",
    },
    "lxc-*, of LXC": {
        "lxc-start": "'nsunit start NAME'",
        "lxc-stop": "'nsunit stop NAME', and 'nsunit kill NAME' for -k",
        "lxc-execute": "'nsunit run'",
        "lxc-attach": _SAME,
        "lxc-console": _SHELL,
        "lxc-create": "'nsunit create NAME', with LXC's templates too",
        "lxc-copy lxc-clone": "'nsunit clone NAME NEW'",
        "lxc-destroy": "'nsunit rm NAME'",
        "lxc-ls": "'nsunit list'",
        "lxc-info": "'nsunit status NAME'",
        "lxc-top": "'nsunit top NAME'",
        "lxc-monitor": "'nsunit events'",
        "lxc-wait": "'nsunit wait NAME'",
        "lxc-freeze": "'nsunit pause NAME'",
        "lxc-unfreeze": "'nsunit resume NAME'",
        "lxc-cgroup": "'nsunit set NAME KEY=VALUE', and 'nsunit stats NAME'",
        "lxc-device": "Device= in the definition, then 'nsunit restart NAME'",
        "lxc-snapshot": _COMMIT,
        "lxc-checkpoint": _NO_MEMORY,
        "lxc-autostart": "'nsunit enable NAME' for each boot, and 'nsunit start web-*' for several",
        "lxc-unshare": "'nsunit run', with the namespaces of the host by PIDNamespace=host and the like",
        "lxc-usernsexec": "unshare --map-auto, of util-linux",
        "lxc-checkconfig": "'nsunit doctor'",
        "lxc-config": "'nsunit inspect NAME'",
        "lxc-update-config": "'nsunit import', which knows old names too",
    },
    "machinectl": {
        "list status show start login shell enable disable poweroff reboot terminate kill bind copy-to copy-from"
        " list-images clone rename import-tar pull-tar remove cat edit": _SAME,
        "stop": "'nsunit stop NAME'",
        "image-status show-image": "'nsunit image inspect IMAGE'",
        "read-only": "ReadOnly=yes in the definition; layers are never written to",
        "set-limit": _SAME,
        "import-raw pull-raw import-fs": "'nsunit image import FILE'",
        "export-tar export-raw": "'nsunit image export IMAGE TARGET'",
        "clean": "'nsunit prune', and 'nsunit image prune'",
        "list-transfers cancel-transfer": "nothing: an import is a command, which Ctrl-C ends",
    },
    "systemd-nspawn": {
        "systemd-nspawn": "'nsunit run -p Rootfs=DIRECTORY COMMAND', and Boot=yes in a definition for -b",
    },
    "vzctl, of OpenVZ": {
        "create start stop restart status destroy exec pause resume mount umount console": _SAME,
        "enter": _SHELL,
        "set": "'nsunit set NAME KEY=VALUE', and --persist as --save",
        "exec2 exec3 runscript": "'nsunit exec NAME COMMAND', whose status is the command's",
        "suspend chkpnt": _NO_MEMORY,
        "snapshot snapshot-list snapshot-switch snapshot-delete snapshot-mount snapshot-umount": _COMMIT,
        "convert compact": "nothing: there are no disk images, roots are directories",
        "quotaon quotaoff quotainit": _QUOTA,
        "register unregister": "'nsunit import openvz FILE', and 'nsunit rm NAME'",
        "reinstall": "'nsunit rm NAME', then another Image= or Rootfs=",
        "monitor": "'nsunit events'",
        "vzlist": "'nsunit list'",
        "vzmigrate": _MOVE,
        "vzubc vzmemcheck vzcpucheck": "'nsunit stats', and 'nsunit why NAME' for one",
        "vzpid": "'nsunit ps NAME' has the processes of a container, and systemctl status PID the unit of one",
        "vzps vztop": "'nsunit ps NAME', 'nsunit top'",
        "vzpkg": "'nsunit create NAME', or 'nsunit image pull NAME'",
        "vzdump": "'nsunit export NAME FILE'",
    },
    "vserver, of Linux-VServer": {
        "start stop restart status exec": _SAME,
        "enter": _SHELL,
        "build": "'nsunit create NAME', or 'nsunit image pull NAME'",
        "suexec": "'nsunit exec --uid=UID NAME COMMAND'",
        "running": "'nsunit status NAME', which exits with 3 if it does not run",
        "hashify unify": "nothing: what roots have in common is an image's layer, or Layer=",
        "pkg apt-get apt rpm yum": "'nsunit exec NAME' with the packages' own program",
        "vserver-stat": "'nsunit stats'",
        "vserver-info": "'nsunit inspect NAME'",
        "vps vpstree": "'nsunit ps NAME'",
        "vtop": "'nsunit top'",
        "vkill": "'nsunit kill NAME'",
        "vlimit vsched": "'nsunit set NAME KEY=VALUE'",
        "vattribute": "Capability= in the definition",
        "vnamespace vspace": "'nsunit enter NAME COMMAND'",
        "vcontext": "'nsunit run'",
        "vdlimit vdu": _QUOTA,
        "vwait": "'nsunit wait NAME'",
        "vclone vcopy": "'nsunit clone NAME NEW'",
        "chcontext chbind": "'nsunit run', with Network= for addresses",
    },
    "lmctfy": {
        "destroy list pause resume stats": _SAME,
        "create": "'nsunit import lmctfy FILE', and 'nsunit start NAME'",
        "update": "'nsunit set NAME KEY=VALUE'",
        "run": "'nsunit exec NAME COMMAND', or 'nsunit run -p Slice=GROUP COMMAND' in a group",
        "enter": "'nsunit cgroup classify -g CONTROLLERS:PATH PID', of a group that is no container",
        "killall": "'nsunit kill NAME'",
        "notify": "'nsunit events'",
        "init": "nothing: systemd has the control groups ready",
        "detect": "systemctl status PID says which unit a process is in",
        "spec": "'nsunit inspect NAME'",
    },
    "libcgroup": {
        "cgcreate": "'nsunit cgroup create -a USER -t USER -g CONTROLLERS:PATH'",
        "cgdelete": "'nsunit cgroup delete -r CONTROLLERS:PATH'",
        "cgexec": "'nsunit cgroup exec -g CONTROLLERS:PATH COMMAND'",
        "cgclassify": "'nsunit cgroup classify -g CONTROLLERS:PATH PID'",
        "cgset cgxset": "'nsunit cgroup set -r NAME=VALUE PATH', and --copy-from",
        "cgget cgxget": "'nsunit cgroup get -r NAME PATH'",
        "lscgroup": "'nsunit cgroup list', and systemd-cgls for all",
        "lssubsys": "'nsunit cgroup list --controllers'",
        "cgsnapshot": "'nsunit cgroup get -a PATH'; what it wrote is taken by 'nsunit import libcgroup FILE'",
        "cgconfigparser": "'nsunit import libcgroup'",
        "cgclear": "'nsunit cgroup delete -r CONTROLLERS:PATH' for each",
        "cgrulesengd": "nothing: a process begins in its group, by Slice= of its unit",
    },
}
