/*
 * Stands in for network drivers with MII registers. With this loaded in front of the C library
 * (LD_PRELOAD), an interface has a PHY if there is a file of its name in the directory MII_LINKS;
 * the file says what the link bit is: 'up', 'down', or anything else for a register that cannot be
 * read.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/mii.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PHY 5

/* Reads what the file of an interface says; 0 when there is none. */
static int read_link(const char *ifname, char *word, size_t size) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", getenv("MII_LINKS"), ifname);
  FILE *file = fopen(path, "r");
  if (!file) return 0;
  if (!fgets(word, (int)size, file)) word[0] = 0;
  fclose(file);
  return 1;
}

int ioctl(int fd, unsigned long request, ...) {
  va_list arguments;
  va_start(arguments, request);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  char link[16] = "";
  int is_mii = request == SIOCGMIIPHY || request == SIOCGMIIREG;
  if (is_mii && read_link(((struct ifreq *)argument)->ifr_name, link, sizeof link)) {
    struct mii_ioctl_data *mii = (struct mii_ioctl_data *)&((struct ifreq *)argument)->ifr_ifru;
    if (request == SIOCGMIIPHY) {
      mii->phy_id = PHY;
      return 0;
    }
    int up = strcmp(link, "up") == 0;
    if (mii->phy_id == PHY && mii->reg_num == MII_BMSR && (up || strcmp(link, "down") == 0)) {
      mii->val_out = up ? BMSR_LSTATUS : 0;
      return 0;
    }
    errno = EIO;
    return -1;
  }
  int (*next)(int, unsigned long, ...) = dlsym(RTLD_NEXT, "ioctl");
  return next(fd, request, argument);
}
